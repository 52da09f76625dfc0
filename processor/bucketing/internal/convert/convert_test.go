package convert_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

func explicitPoint(h pmetric.Histogram, bounds []float64, counts ...uint64) pmetric.HistogramDataPoint {
	dp := h.DataPoints().AppendEmpty()
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(counts)
	var sum uint64
	for _, n := range counts {
		sum += n
	}
	dp.SetCount(sum)
	return dp
}

func exponentialPoint(h pmetric.ExponentialHistogram, scale, offset int32, zero uint64, counts ...uint64) pmetric.ExponentialHistogramDataPoint {
	dp := h.DataPoints().AppendEmpty()
	dp.SetScale(scale)
	dp.SetZeroCount(zero)
	dp.Positive().SetOffset(offset)
	dp.Positive().BucketCounts().FromRaw(counts)
	for _, n := range counts {
		zero += n
	}
	dp.SetCount(zero)
	return dp
}

func run(m pmetric.Metric, metrics pmetric.MetricSlice, rule *convert.Rule) *convert.Report {
	report := new(convert.Report)
	report.Reset(1)
	convert.New(convert.NewPlans(8)).Metric(m, metrics, newOrigin(), rule, report)
	return report
}

func exponentialTarget(scale int32, size int, zero float64) *convert.Rule {
	return &convert.Rule{Exponential: &convert.Exponential{MaxScale: scale, MaxSize: size, ZeroThreshold: zero}}
}

func TestExplicitToSubsetMerges(t *testing.T) {
	metrics, m := newMetrics()
	counts := make([]uint64, 16)
	for i := range counts {
		counts[i] = 1 << i
	}
	dp := explicitPoint(m.SetEmptyHistogram(), otel, counts...)
	report := run(m, metrics, explicitTarget(latency))
	require.Equal(t, latency, dp.ExplicitBounds().AsRaw())
	require.Equal(t, []uint64{1, 1<<1 + 1<<2, 1<<3 + 1<<4, 1<<5 + 1<<6, 1<<7 + 1<<8, 0xffff &^ 0x1ff}, dp.BucketCounts().AsRaw())
	require.Equal(t, int64(1), report.Converted[0][convert.ExplicitLayout][convert.ExplicitLayout])
	require.Equal(t, []float64{0}, report.RankErrors)
	require.Zero(t, report.OpenEnds)
}

func TestExplicitToOtherBoundsSplits(t *testing.T) {
	metrics, m := newMetrics()
	dp := explicitPoint(m.SetEmptyHistogram(), []float64{1, 100}, 4, 90, 6)
	report := run(m, metrics, explicitTarget([]float64{0.5, 10, 1000}))
	require.Equal(t, []uint64{2, 47, 45, 6}, dp.BucketCounts().AsRaw()) // 4 in (0, 1] are 2+2, 90 are 45+45
	require.Equal(t, []float64{0.9}, report.RankErrors)
	require.Equal(t, uint64(6), report.OpenEnds)
}

func TestExponentialToExplicit(t *testing.T) {
	metrics, m := newMetrics()
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	exponentialPoint(h, 0, -1, 3, 10, 20, 40, 80) // zero, (0.5,1], (1,2], (2,4], (4,8]
	report := run(m, metrics, explicitTarget([]float64{0, 1, 2 * math.Sqrt2, 8, 9}))
	require.Equal(t, 1, metrics.Len())
	require.Equal(t, pmetric.MetricTypeHistogram, m.Type())
	require.Equal(t, pmetric.AggregationTemporalityDelta, m.Histogram().AggregationTemporality())
	dp := m.Histogram().DataPoints().At(0)
	require.Equal(t, []uint64{3, 10, 40, 100, 0, 0}, dp.BucketCounts().AsRaw())
	require.Equal(t, int64(1), report.Converted[0][convert.ExponentialLayout][convert.ExplicitLayout])
	require.InDeltaSlice(t, []float64{40.0 / 153}, report.RankErrors, 1e-9)
}

func TestExplicitToExponential(t *testing.T) {
	metrics, m := newMetrics()
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	explicitPoint(m.Histogram(), []float64{0, 16}, 5, 1024, 7)
	run(m, metrics, exponentialTarget(0, 160, 0))
	dp := m.ExponentialHistogram().DataPoints().At(0)
	require.Equal(t, pmetric.AggregationTemporalityCumulative, m.ExponentialHistogram().AggregationTemporality())
	require.Equal(t, int32(0), dp.Scale())
	require.InDelta(t, 1.0/64, dp.ZeroThreshold(), 0)
	require.Equal(t, uint64(6), dp.ZeroCount()) // 5 plus 1/1024 of (0, 16]
	require.Equal(t, int32(-6), dp.Positive().Offset())
	// Each bucket has half of the next one's count. Shares are rounded down, so an observation may be one bucket higher.
	for i, want := range []uint64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 7} {
		require.InDelta(t, want, dp.Positive().BucketCounts().At(i), 1)
	}
	require.Zero(t, dp.Negative().BucketCounts().Len())
}

func TestExponentialDownscale(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rule   *convert.Rule
		scale  int32
		offset int32
		counts []uint64
		zero   uint64
	}{
		{"to a scale", exponentialTarget(1, 160, 0), 1, 0, []uint64{9, 2}, 4},
		{"to a size", exponentialTarget(20, 2, 0), 1, 0, []uint64{9, 2}, 4},
		{"to a size it has", exponentialTarget(20, 3, 0), 2, 1, []uint64{9, 2}, 4},
		{"to a threshold", exponentialTarget(20, 160, 1.4), 2, 2, []uint64{2}, 13},
		{"to a limit it has", &convert.Rule{Limit: &convert.Limit{MaxBuckets: 8}}, 2, 1, []uint64{9, 2}, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			metrics, m := newMetrics()
			offset, counts := int32(1), []uint64{9, 2, 0} // of scale 2
			if tt.scale == 1 && tt.name == "to a size" {
				counts = []uint64{9, 2, 1}
				tt.counts = []uint64{9, 3}
			}
			dp := exponentialPoint(m.SetEmptyExponentialHistogram(), 2, offset, 4, counts...)
			run(m, metrics, tt.rule)
			require.Equal(t, tt.scale, dp.Scale())
			require.Equal(t, tt.offset, dp.Positive().Offset())
			require.Equal(t, tt.counts, dp.Positive().BucketCounts().AsRaw())
			require.Equal(t, tt.zero, dp.ZeroCount())
		})
	}
}

// The limit includes both signs and the zero bucket.
func TestExponentialLimit(t *testing.T) {
	metrics, m := newMetrics()
	dp := exponentialPoint(m.SetEmptyExponentialHistogram(), 4, -8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	dp.Negative().BucketCounts().FromRaw([]uint64{1, 1, 1, 1})
	dp.SetCount(21)
	run(m, metrics, &convert.Rule{Limit: &convert.Limit{MaxBuckets: 11}})
	require.Equal(t, int32(3), dp.Scale())
	require.Equal(t, 8, dp.Positive().BucketCounts().Len())
	require.Equal(t, 2, dp.Negative().BucketCounts().Len())
}

// The number of buckets of a point that keeps its layout is bounded: further ones are joined.
// A count that is not the sum of the buckets can be repaired. Other invalid points are dropped.
// If all bounds are above zero, as with Prometheus' clients, the lowest bucket begins at zero for every target, unless the
// minimum of a delta point is negative. Observations that go to the zero bucket are within the zero threshold.
func TestLowestBucketToExponential(t *testing.T) {
	converted := func(temporality pmetric.AggregationTemporality, minimum float64) pmetric.ExponentialHistogramDataPoint {
		metrics, m := newMetrics()
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		dp := explicitPoint(h, []float64{10, 20}, 100, 10, 0)
		if minimum != 0 {
			dp.SetMin(minimum)
		}
		run(m, metrics, pchip(exponentialTarget(3, 160, 0)))
		return m.ExponentialHistogram().DataPoints().At(0)
	}
	for _, temporality := range []pmetric.AggregationTemporality{pmetric.AggregationTemporalityDelta, pmetric.AggregationTemporalityCumulative} {
		p := converted(temporality, 0)
		require.Less(t, p.ZeroThreshold(), 0.02)
		require.LessOrEqual(t, p.ZeroCount(), uint64(1), "a thousandth of (0, 10]")
		require.Greater(t, p.Positive().BucketCounts().Len(), 40)
	}
	p := converted(pmetric.AggregationTemporalityDelta, 1)
	require.Zero(t, p.ZeroCount())
	require.GreaterOrEqual(t, expo.UpperBound(p.Scale(), p.Positive().Offset()), 1.0)

	p = converted(pmetric.AggregationTemporalityDelta, -5)
	require.GreaterOrEqual(t, p.ZeroThreshold(), 5.0)
	require.GreaterOrEqual(t, p.ZeroCount(), uint64(50))
}

// A point after one with invalid bounds gets its own plan.
// If only some points change type, the metric becomes two metrics.
func TestForbid(t *testing.T) {
	metrics, m := newMetrics()
	h := m.SetEmptyHistogram()
	explicitPoint(h, []float64{10, 20}, 1, 2, 3)        // the bound 15 would split a bucket
	explicitPoint(h, []float64{10, 15, 20}, 1, 2, 3, 4) // here it would not
	rule := explicitTarget([]float64{15})
	rule.Forbid = true
	report := run(m, metrics, rule)
	require.Equal(t, int64(1), report.Passed[convert.Forbidden])
	require.Equal(t, []float64{10, 20}, h.DataPoints().At(0).ExplicitBounds().AsRaw())
	require.Equal(t, []uint64{3, 7}, h.DataPoints().At(1).BucketCounts().AsRaw())

	for bound, want := range map[float64]pmetric.MetricType{8: pmetric.MetricTypeHistogram, 9: pmetric.MetricTypeExponentialHistogram} {
		metrics, m := newMetrics()
		exponentialPoint(m.SetEmptyExponentialHistogram(), 3, 0, 0, 1, 2)
		rule := explicitTarget([]float64{bound})
		rule.Forbid, rule.WorkingScale = true, 0
		run(m, metrics, rule)
		require.Equal(t, want, m.Type(), "bound %v", bound)
	}
}

// Cumulative points are reduced to the working scale before they are split. Delta points are not.
func TestWorkingScale(t *testing.T) {
	// The bucket (2^(1/2), 2] of scale 1 joins (1, 2^(1/2)] at scale 0.
	bound := []float64{math.Sqrt2}
	for _, tt := range []struct {
		name        string
		temporality pmetric.AggregationTemporality
		scale       int32
		want        []uint64
	}{
		{"delta", pmetric.AggregationTemporalityDelta, 8, []uint64{0, 1000}},
		{"cumulative", pmetric.AggregationTemporalityCumulative, 8, []uint64{500, 500}},
		{"unspecified is cumulative", pmetric.AggregationTemporalityUnspecified, 8, []uint64{500, 500}},
		{"below", pmetric.AggregationTemporalityCumulative, -1, []uint64{250, 750}},
		{"delta below", pmetric.AggregationTemporalityDelta, -1, []uint64{250, 750}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			metrics, m := newMetrics()
			h := m.SetEmptyExponentialHistogram()
			h.SetAggregationTemporality(tt.temporality)
			offset := int32(200) // of 256 buckets in (1, 2]
			if tt.scale < 0 {
				offset = 0 // (1, 4]
			}
			exponentialPoint(h, tt.scale, offset, 0, 1000)
			rule := explicitTarget(bound)
			rule.WorkingScale = 0
			run(m, metrics, rule)
			got := m.Histogram().DataPoints().At(0).BucketCounts().AsRaw()
			require.InDelta(t, tt.want[0], got[0], 1)
			require.InDelta(t, tt.want[1], got[1], 1)
		})
	}
}

func TestBoundsFollowTheUnit(t *testing.T) {
	rule := &convert.Rule{Explicit: &convert.Explicit{Bounds: map[string][]float64{"": {1000}, "s": {1}}}, Split: rebucket.Log}
	c, report := convert.New(convert.NewPlans(8)), new(convert.Report)
	report.Reset(1)
	for unit, want := range map[string]float64{"s": 1, "ms": 1000, "": 1000} {
		metrics, m := newMetrics()
		m.SetUnit(unit)
		dp := explicitPoint(m.SetEmptyHistogram(), []float64{1, 1000}, 1, 2, 3)
		c.Metric(m, metrics, newOrigin(), rule, report)
		require.Equal(t, []float64{want}, dp.ExplicitBounds().AsRaw())
	}
}

// An extremely large layout is converted without filling the cache.
func TestHugeLayoutsAreNotCached(t *testing.T) {
	bounds := make([]float64, 5000)
	for i := range bounds {
		bounds[i] = float64(i)
	}
	plans, report := convert.NewPlans(8), new(convert.Report)
	report.Reset(1)
	metrics, m := newMetrics()
	dp := explicitPoint(m.SetEmptyHistogram(), bounds, make([]uint64, 5001)...)
	convert.New(plans).Metric(m, metrics, newOrigin(), explicitTarget(latency), report)
	require.Equal(t, 6, dp.BucketCounts().Len())
	require.Zero(t, plans.Len())
}

// Delta points with a larger rank error pass unchanged. Cumulative points are always converted.
func TestMaxRankError(t *testing.T) {
	for _, tt := range []struct {
		temporality pmetric.AggregationTemporality
		bound       float64
		passed      int64
	}{
		{pmetric.AggregationTemporalityDelta, 0.59, 1},
		{pmetric.AggregationTemporalityDelta, 0.6, 0},
		{pmetric.AggregationTemporalityCumulative, 0.1, 0},
	} {
		for _, target := range []*convert.Rule{explicitTarget([]float64{5}), exponentialTarget(0, 160, 0)} {
			rule := *target
			rule.MaxRankError = tt.bound
			metrics, m := newMetrics()
			h := m.SetEmptyHistogram()
			h.SetAggregationTemporality(tt.temporality)
			explicitPoint(h, []float64{1, 10}, 2, 6, 2) // both targets cut the bucket of 6
			report := run(m, metrics, &rule)
			require.Equal(t, tt.passed, report.Passed[convert.RankError])
			require.Equal(t, 1, metrics.Len())
			if tt.passed == 1 {
				require.Equal(t, []uint64{2, 6, 2}, m.Histogram().DataPoints().At(0).BucketCounts().AsRaw())
				require.Empty(t, report.RankErrors)
			} else {
				require.Equal(t, []float64{0.6}, report.RankErrors)
			}
		}
		rule := explicitTarget([]float64{3})
		rule.MaxRankError = tt.bound
		metrics, m := newMetrics()
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(tt.temporality)
		exponentialPoint(h, 0, 0, 2, 2, 6) // 6 in (2, 4]
		rule.WorkingScale = 0
		report := run(m, metrics, rule)
		require.Equal(t, tt.passed, report.Passed[convert.RankError])
		require.Equal(t, tt.passed == 1, m.Type() == pmetric.MetricTypeExponentialHistogram)
	}
}
