package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// TestUniformSplit compares the linear split with the transform processor's uniform one in a case in which they must agree:
// bounds that cut every occupied bucket into equal parts, without a bound at its ends.
//
//	source         |        n        |       |        n        |
//	target  ...  :       :       :       :       :       :       :  ...
//
// In this case the equal shares of uniform are proportional to the widths. uniform gives the remainder of a division to the
// lowest parts, and linear rounds each cumulative count, so a part may differ by one.
func TestUniformSplit(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, parts := range []int{2, 3, 4, 5, 7, 8} {
		const first, buckets = -6, 15 // at scale 0; every second bucket is occupied
		h := &expo.Histogram{Positive: expo.Buckets{Offset: first, Counts: make([]uint64, buckets)}}
		bounds := []float64{0}
		for i := 0; i < buckets; i += 2 {
			lower := math.Ldexp(1, first+i)
			for k := 1; k < parts; k++ {
				bounds = append(bounds, lower*(1+float64(k)/float64(parts)))
			}
			bounds = append(bounds, lower*3) // beyond the bucket, in the middle of the empty one
		}
		for round := range 50 {
			even := round%2 == 0
			h.Count = 0
			for i := 0; i < buckets; i += 2 {
				n := rng.Uint64N(1<<20) * uint64(parts)
				if !even {
					n += rng.Uint64N(uint64(parts))
				}
				h.Positive.Counts[i] = n
				h.Count += n
			}
			got, want := uniformly(t, h, bounds)
			require.Len(t, got, len(bounds)+1)
			require.Len(t, want, len(bounds)) // uniform has no overflow bucket
			require.Zero(t, got[len(bounds)])
			for i, n := range want {
				if even {
					require.Equal(t, n, got[i], "%d parts, bucket %d", parts, i)
				}
				require.InDelta(t, float64(n), float64(got[i]), 1, "%d parts, bucket %d", parts, i)
			}
		}
	}
}

// uniformly returns the counts of bucketing's linear split and of contrib's uniform one.
func uniformly(t *testing.T, h *expo.Histogram, bounds []float64) (linear, uniform []uint64) {
	texts, list := make([]string, 0, len(bounds)), make([]any, 0, len(bounds))
	for _, b := range bounds {
		texts, list = append(texts, fmt.Sprintf("%.20f", b)), append(list, b)
	}
	through := func(c converter) (counts []uint64) {
		md, m := newMetric()
		e := m.SetEmptyExponentialHistogram()
		e.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		histpoint.StoreExponential(e.DataPoints().AppendEmpty(), h)
		p := c.start(t, func(md pmetric.Metrics) {
			out := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().At(0)
			require.Equal(t, bounds, out.ExplicitBounds().AsRaw())
			counts = out.BucketCounts().AsRaw()
		})
		require.NoError(t, p.ConsumeMetrics(t.Context(), md))
		return counts
	}
	return through(ours("bucketing", map[string]any{"split": "linear", "target": map[string]any{"explicit": map[string]any{"bounds": list}}})),
		through(transform("transform-uniform", "metric", fmt.Sprintf("convert_exponential_histogram_to_histogram(%q, [%s])", "uniform", strings.Join(texts, ", "))))
}
