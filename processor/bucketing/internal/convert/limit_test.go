package convert_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

func minError(buckets int, pins ...float64) *convert.Rule {
	return &convert.Rule{Limit: &convert.Limit{MaxBuckets: buckets, MinError: true, Pin: pins}}
}

func writePoint(dp pmetric.HistogramDataPoint, bounds []float64, counts []uint64) {
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(counts)
	dp.SetCount(0)
	for _, n := range counts {
		dp.SetCount(dp.Count() + n)
	}
}

// Each delta point keeps the bounds around its own observations.
func TestMinErrorOfDeltaPoints(t *testing.T) {
	metrics, m := newMetrics()
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	explicitPoint(h, []float64{1, 2, 3, 4, 5, 6}, 7, 8, 9, 0, 0, 0, 0)
	explicitPoint(h, []float64{1, 2, 3, 4, 5, 6}, 0, 0, 0, 0, 8, 9, 7)
	explicitPoint(h, []float64{1, 2, 3, 4, 5, 6}, 0, 0, 0, 0, 0, 0, 0)
	report := run(m, metrics, minError(4))
	for i, want := range []struct {
		bounds []float64
		counts []uint64
	}{
		{[]float64{1, 2, 3}, []uint64{7, 8, 9, 0}},
		{[]float64{4, 5, 6}, []uint64{0, 8, 9, 7}},
		{[]float64{1, 3, 5}, []uint64{0, 0, 0, 0}},
	} {
		dp := h.DataPoints().At(i)
		require.Equal(t, want.bounds, dp.ExplicitBounds().AsRaw())
		require.Equal(t, want.counts, dp.BucketCounts().AsRaw())
	}
	require.Equal(t, int64(3), report.Converted[0][convert.ExplicitLayout][convert.ExplicitLayout])
	require.Equal(t, []float64{0}, report.RankErrors) // only whole buckets were joined
}

// A cumulative stream keeps the bounds that its first point chose until it restarts. Each stream has its own bounds.
func TestMinErrorOfCumulativeStreams(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	bounds := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}
	exports := 0
	for range 200 {
		f := follow(stateful(minError(6, 5), convert.Reset))
		counts := map[string][]uint64{"/a": make([]uint64, 10), "/b": make([]uint64, 10)}
		kept, last := map[string][]float64{}, map[string][]uint64{}
		export := func(route string, start int) []float64 {
			m := f.explicit(func(dp pmetric.HistogramDataPoint) {
				dp.Attributes().PutStr("route", route)
				dp.SetStartTimestamp(1 + 1000*pcommon.Timestamp(start))
				dp.SetTimestamp(2 + pcommon.Timestamp(exports) + 1000*pcommon.Timestamp(start))
				writePoint(dp, bounds, counts[route])
			})
			exports++
			dp := m.Histogram().DataPoints().At(0)
			for i, n := range last[route] {
				require.GreaterOrEqual(t, dp.BucketCounts().At(i), n)
			}
			last[route] = dp.BucketCounts().AsRaw()
			return dp.ExplicitBounds().AsRaw()
		}
		for range 20 {
			for _, route := range []string{"/a", "/b"} {
				counts[route][rng.IntN(10)] += rng.Uint64N(1000)
				got := export(route, 0)
				if kept[route] == nil {
					kept[route] = got
					want := new(rebucket.Chooser).Choose(nil, bounds, counts[route], 6, []float64{5})
					require.Equal(t, want, got)
				}
				require.Equal(t, kept[route], got)
			}
		}
		require.Zero(t, f.report.Violations)

		counts["/a"], last["/a"] = make([]uint64, 10), nil
		counts["/a"][8], counts["/a"][9] = 10, 20
		got := export("/a", 1)
		require.True(t, slices.Contains(got, 8) && slices.Contains(got, 9), "%v", got)
	}
	require.Equal(t, 200*41, exports)
}

// Cumulative points without state, and extremely large layouts, are limited by position.
func TestMinErrorFallsBackToPosition(t *testing.T) {
	counts := []uint64{7, 8, 9, 0, 0, 0, 0}
	metrics, m := newMetrics()
	dp := explicitPoint(m.SetEmptyHistogram(), []float64{1, 2, 3, 4, 5, 6}, counts...)
	run(m, metrics, minError(4))
	require.Equal(t, []float64{1, 3, 5}, dp.ExplicitBounds().AsRaw())

	bounds, many := make([]float64, 1025), make([]uint64, 1026)
	for i := range bounds {
		bounds[i] = float64(i)
	}
	many[3], many[4] = 7, 8
	for _, rule := range []*convert.Rule{minError(5), stateful(minError(5), convert.Reset)} {
		for _, temporality := range []pmetric.AggregationTemporality{pmetric.AggregationTemporalityDelta, pmetric.AggregationTemporalityCumulative} {
			metrics, m := newMetrics()
			m.SetEmptyHistogram().SetAggregationTemporality(temporality)
			dp := explicitPoint(m.Histogram(), bounds, many...)
			run(m, metrics, rule)
			require.Equal(t, rebucket.Subset(bounds, 5, nil), dp.ExplicitBounds().AsRaw())
		}
	}
}
