package convert_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

func pchip(rule *convert.Rule) *convert.Rule {
	rule.Split = rebucket.PCHIP
	return rule
}

// The minimum and the maximum bound the observations of a delta point. They do not affect the conversion of a cumulative
// point.
func TestRangeOfDeltaPoints(t *testing.T) {
	for temporality, want := range map[pmetric.AggregationTemporality][]uint64{
		pmetric.AggregationTemporalityDelta:      {0, 100, 4, 0},
		pmetric.AggregationTemporalityCumulative: {69, 31, 0, 4}, // 0.69 is log 5 / log 10; the open end goes to that of the target
	} {
		metrics, m := newMetrics()
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		dp := explicitPoint(h, []float64{1, 10}, 0, 100, 4)
		dp.SetMin(6)
		dp.SetMax(11)
		report := run(m, metrics, pchip(explicitTarget([]float64{5, 10, 12})))
		require.Equal(t, want, dp.BucketCounts().AsRaw())
		if temporality == pmetric.AggregationTemporalityDelta {
			require.Zero(t, report.OpenEnds)
			require.Equal(t, []float64{0}, report.RankErrors)
		} else {
			require.Equal(t, uint64(4), report.OpenEnds)
			require.Equal(t, []float64{100.0 / 104}, report.RankErrors)
		}

		metrics, m = newMetrics()
		e := m.SetEmptyExponentialHistogram()
		e.SetAggregationTemporality(temporality)
		p := exponentialPoint(e, 0, 0, 0, 0, 0, 0, 100) // (8, 16]
		p.SetMin(14)
		p.SetMax(14)
		rule := pchip(explicitTarget([]float64{11, 13.9, 14}))
		run(m, metrics, rule)
		got := m.Histogram().DataPoints().At(0).BucketCounts().AsRaw()
		if temporality == pmetric.AggregationTemporalityDelta {
			require.Equal(t, []uint64{0, 0, 100, 0}, got)
		} else {
			require.NotZero(t, got[0])
			require.NotZero(t, got[3])
		}
	}
}

// The converted counts of a cumulative point depend on its layout and counts alone, and each count is divided independently
// of the others.
func TestCumulativeSplitIsAdditive(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		source := pmetric.NewHistogramDataPoint()
		randomExplicit(rng, source)
		apply := func(counts []uint64) []uint64 {
			metrics, m := newMetrics()
			h := m.SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			dp := explicitPoint(h, source.ExplicitBounds().AsRaw(), counts...)
			fill(rng, dp, 0)
			run(m, metrics, pchip(explicitTarget([]float64{-3, -1, 0.5, 7.25, 33, 1e6})))
			return dp.BucketCounts().AsRaw()
		}
		counts := source.BucketCounts().AsRaw()
		sum := make([]uint64, 7)
		for i, n := range counts {
			alone := make([]uint64, len(counts))
			alone[i] = n
			for k, c := range apply(alone) {
				sum[k] += c
			}
		}
		require.Equal(t, sum, apply(counts))
	}
}
