package bench

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	draws "github.com/otelcol-custom/otelcol-custom/internal/samples"
)

// TestBucketingAccuracy shows the largest error of the cumulative share at a bound, of exponential
// histograms of 160 buckets brought to the SDKs' default bounds and to others, by distribution.
//
// Points of the transform processor have as many counts as bounds: there is no overflow bucket. A source
// bucket that lies within one of the target goes to the count before the one that OTLP has for it; of those
// that a bound cuts, midpoint does so too and the other methods do not. So its points are shown both
// as a backend reads OTLP, and with every count taken for the bucket above its bound.
func TestBucketingAccuracy(t *testing.T) {
	const observations, rounds = 50_000, 3
	for name, bounds := range map[string][]float64{"SDK's default": draws.OTel, "misaligned": draws.Misaligned} {
		t.Run(name, func(t *testing.T) {
			var table strings.Builder
			fmt.Fprintf(&table, "%% of observations, mean of %d draws of %d\n%-28s", rounds, observations, "")
			for _, d := range draws.Distributions {
				fmt.Fprintf(&table, "%12s", d.Name)
			}
			fmt.Fprintf(&table, "%12s\n", "mean")
			var best, least float64 // means: of ours, and of the least of the others
			for i, c := range toExplicit(bounds) {
				shifts := []bool{false, true}
				if i < 2 {
					shifts = shifts[:1] // ours are read one way
				}
				for _, shifted := range shifts {
					title, mean := c.name, 0.0
					if shifted {
						title += ", shifted"
					}
					fmt.Fprintf(&table, "%-28s", title)
					for _, d := range draws.Distributions {
						var sum float64
						for draw := range uint64(rounds) {
							sum += cdfError(t, c, d.Draw(observations, draw), bounds, shifted)
						}
						fmt.Fprintf(&table, "%12.3f", 100*sum/rounds)
						mean += sum / rounds / float64(len(draws.Distributions))
					}
					fmt.Fprintf(&table, "%12.3f\n", 100*mean)
					switch {
					case i == 0:
						best = mean
					case i > 1 && (least == 0 || mean < least):
						least = mean
					}
				}
			}
			t.Log(table.String())
			require.Less(t, best, least)
		})
	}
}

// cdfError is that of one delta point through a processor.
func cdfError(t *testing.T, c converter, values, bounds []float64, shifted bool) float64 {
	h := expo.New(expo.DefaultMaxSize)
	for _, v := range values {
		h.Record(v, 1)
	}
	md, m := newMetric()
	e := m.SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	dp := e.DataPoints().AppendEmpty()
	histpoint.StoreExponential(dp, h)
	histpoint.SetTotals(dp, histpoint.Totals{Sum: h.Sum, Min: h.Min, Max: h.Max, HasSum: true, HasMin: true, HasMax: true})

	var got []uint64
	p := c.start(t, func(md pmetric.Metrics) {
		out := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().At(0)
		require.Equal(t, bounds, out.ExplicitBounds().AsRaw())
		got = out.BucketCounts().AsRaw()
	})
	require.NoError(t, p.ConsumeMetrics(t.Context(), md))
	if shifted {
		got = append([]uint64{0}, got...)
	}
	for len(got) <= len(bounds) {
		got = append(got, 0)
	}
	return draws.MaxCDFError(draws.Count(bounds, values), got)
}
