package convert_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

func TestInvalidPoints(t *testing.T) {
	explicit := func(change func(pmetric.HistogramDataPoint)) func(pmetric.Metric) {
		return func(m pmetric.Metric) {
			change(explicitPoint(m.SetEmptyHistogram(), []float64{1, 2}, 3, 4, 5))
		}
	}
	exponential := func(change func(pmetric.ExponentialHistogramDataPoint)) func(pmetric.Metric) {
		return func(m pmetric.Metric) {
			change(exponentialPoint(m.SetEmptyExponentialHistogram(), 2, 0, 1, 3, 4, 5))
		}
	}
	for _, tt := range []struct {
		name  string
		build func(pmetric.Metric)
		err   string
	}{
		{"count", explicit(func(dp pmetric.HistogramDataPoint) { dp.SetCount(11) }), "bucket counts add up to 12, count is 11"},
		{"too few counts", explicit(func(dp pmetric.HistogramDataPoint) { dp.BucketCounts().FromRaw([]uint64{12}) }), "2 bounds with 1 bucket counts"},
		{"bounds without counts", explicit(func(dp pmetric.HistogramDataPoint) { dp.BucketCounts().FromRaw(nil) }), "2 bounds with 0 bucket counts"},
		{"unsorted", explicit(func(dp pmetric.HistogramDataPoint) { dp.ExplicitBounds().SetAt(1, 0) }), "bounds[1] is 0 after 1"},
		{"duplicate", explicit(func(dp pmetric.HistogramDataPoint) { dp.ExplicitBounds().SetAt(1, 1) }), "bounds[1] is 1 after 1"},
		{"NaN", explicit(func(dp pmetric.HistogramDataPoint) { dp.ExplicitBounds().SetAt(0, math.NaN()) }), "bounds[0] is NaN"},
		{"-Inf", explicit(func(dp pmetric.HistogramDataPoint) { dp.ExplicitBounds().SetAt(0, math.Inf(-1)) }), "bounds[0] is -Inf"},
		{"overflow", explicit(func(dp pmetric.HistogramDataPoint) {
			dp.BucketCounts().FromRaw([]uint64{math.MaxUint64, 10, 3}) // the sum overflows to 12
		}), "bucket counts exceed 64 bits"},
		{"exponential count", exponential(func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetZeroCount(2) }), "bucket counts add up to 14, count is 13"},
		{"exponential overflow", exponential(func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.Negative().BucketCounts().FromRaw([]uint64{math.MaxUint64, 1})
		}), "bucket counts exceed 64 bits"},
		{"exponential overflow by zero", exponential(func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetZeroCount(math.MaxUint64) }), "bucket counts exceed 64 bits"},
		{"index", exponential(func(dp pmetric.ExponentialHistogramDataPoint) { dp.Positive().SetOffset(math.MaxInt32 - 1) }), "bucket index 2147483648 exceeds 32 bits"},
		{"threshold", exponential(func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetZeroThreshold(math.NaN()) }), "zero threshold is NaN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, rule := range []*convert.Rule{explicitTarget(latency), exponentialTarget(3, 160, 0)} {
				metrics, m := newMetrics()
				tt.build(m)
				before := wire(t, m)
				report := run(m, metrics, rule)
				require.ErrorIs(t, report.Err, histpoint.ErrInvalid)
				require.ErrorContains(t, report.Err, tt.err)
				require.Equal(t, before, wire(t, m))
				require.Equal(t, 1, metrics.Len())
				require.Equal(t, int64(1), report.Passed[convert.Invalid])

				drop := *rule
				drop.OnInvalid = convert.DropInvalid
				report = run(m, metrics, &drop)
				require.Zero(t, count(m))
				require.Equal(t, int64(1), report.Dropped)
				require.Zero(t, report.Passed[convert.Invalid])
			}
		})
	}
}

func TestLargePointsWithoutTarget(t *testing.T) {
	bounds, counts := make([]float64, 5000), make([]uint64, 5001)
	for i := range bounds {
		bounds[i], counts[i] = float64(i), uint64(i)
	}
	for _, rule := range []*convert.Rule{{}, {Explicit: &convert.Explicit{Bounds: map[string][]float64{"": {7.5}}}, Forbid: true}} {
		metrics, m := newMetrics()
		dp := explicitPoint(m.SetEmptyHistogram(), bounds, counts...)
		sum := dp.Count()
		run(m, metrics, rule)
		require.LessOrEqual(t, dp.BucketCounts().Len(), 2048)
		require.Greater(t, dp.BucketCounts().Len(), 1000)
		require.Equal(t, sum, total(m, 0))

		metrics, m = newMetrics()
		p := exponentialPoint(m.SetEmptyExponentialHistogram(), 20, -2500, 0, counts...)
		run(m, metrics, rule)
		require.LessOrEqual(t, p.Positive().BucketCounts().Len(), 2048)
		require.Equal(t, sum, total(m, 0))
		require.Equal(t, sum, p.Count())
	}
}

func TestRepair(t *testing.T) {
	repairing := func(rule *convert.Rule) *convert.Rule {
		rule.OnInvalid = convert.RepairInvalid
		return rule
	}
	for name, rule := range map[string]*convert.Rule{
		"to explicit": explicitTarget([]float64{1, 2}), "to exponential": exponentialTarget(3, 160, 0), "no target": {},
		"with state": stateful(explicitTarget([]float64{1, 2}), convert.Reset),
	} {
		metrics, m := newMetrics()
		h := m.SetEmptyHistogram()
		explicitPoint(h, []float64{1, 2}, 3, 4, 5).SetCount(11)
		explicitPoint(h, []float64{2, 1}, 3, 4, 5)
		report := run(m, metrics, repairing(rule))
		require.Equal(t, 1, count(m), name)
		require.Equal(t, uint64(12), pointAt(m, 0).Count(), name)
		require.Equal(t, uint64(12), total(m, 0), name)
		require.Equal(t, []int64{1, 1}, []int64{report.Repaired, report.Dropped}, name)

		metrics, m = newMetrics()
		exponentialPoint(m.SetEmptyExponentialHistogram(), 2, 0, 1, 3, 4).SetCount(1 << 40)
		report = run(m, metrics, rule)
		require.Equal(t, uint64(8), pointAt(m, 0).Count(), name)
		require.Equal(t, uint64(8), total(m, 0), name)
		require.Equal(t, int64(1), report.Repaired, name)
		require.NoError(t, report.Err)
	}
}

func TestInvalidBoundsAmongValid(t *testing.T) {
	metrics, m := newMetrics()
	h := m.SetEmptyHistogram()
	explicitPoint(h, []float64{1, 10}, 1, 2, 3)
	explicitPoint(h, []float64{10, 1}, 1, 2, 3)
	explicitPoint(h, []float64{10, 1}, 1, 2, 3)
	explicitPoint(h, []float64{1, 10}, 1, 2, 3)
	report := run(m, metrics, explicitTarget([]float64{10}))
	require.Equal(t, int64(2), report.Passed[convert.Invalid])
	require.Equal(t, []uint64{3, 3}, h.DataPoints().At(0).BucketCounts().AsRaw())
	require.Equal(t, []float64{10, 1}, h.DataPoints().At(1).ExplicitBounds().AsRaw())
	require.Equal(t, []float64{10, 1}, h.DataPoints().At(2).ExplicitBounds().AsRaw())
	require.Equal(t, []uint64{3, 3}, h.DataPoints().At(3).BucketCounts().AsRaw())
}

func TestPointsWithoutBucketsPass(t *testing.T) {
	for _, rule := range []*convert.Rule{explicitTarget(latency), exponentialTarget(3, 160, 0), {Limit: &convert.Limit{MaxBuckets: 5}}} {
		metrics, m := newMetrics()
		h := m.SetEmptyHistogram()
		h.DataPoints().AppendEmpty().SetCount(5)
		explicitPoint(h, nil, 7)
		before := wire(t, m)
		report := run(m, metrics, rule)
		require.NoError(t, report.Err)
		require.Equal(t, before, wire(t, m))
		require.Equal(t, int64(2), report.Passed[convert.NoBuckets])
	}
}

func TestNoRecordedValue(t *testing.T) {
	flag := pmetric.DefaultDataPointFlags.WithNoRecordedValue(true)
	t.Run("passes where the type stays", func(t *testing.T) {
		metrics, m := newMetrics()
		dp := explicitPoint(m.SetEmptyHistogram(), []float64{1, 2}, 0, 0, 0)
		dp.SetFlags(flag)
		report := run(m, metrics, explicitTarget(latency))
		require.Equal(t, []float64{1, 2}, dp.ExplicitBounds().AsRaw())
		require.Equal(t, int64(1), report.Passed[convert.NoRecordedValue])
	})
	t.Run("goes along where it changes", func(t *testing.T) {
		metrics, m := newMetrics()
		dp := m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		dp.SetFlags(flag)
		dp.SetTimestamp(5)
		dp.Attributes().PutStr("a", "b")
		run(m, metrics, explicitTarget(latency))
		require.Equal(t, pmetric.MetricTypeHistogram, m.Type())
		to := m.Histogram().DataPoints().At(0)
		require.True(t, to.Flags().NoRecordedValue())
		require.EqualValues(t, 5, to.Timestamp())
		require.Equal(t, map[string]any{"a": "b"}, to.Attributes().AsRaw())
		require.Zero(t, to.BucketCounts().Len())
	})
	t.Run("an exponential one loses its buckets", func(t *testing.T) {
		for _, rule := range []*convert.Rule{{}, exponentialTarget(3, 160, 0)} {
			metrics, m := newMetrics()
			dp := exponentialPoint(m.SetEmptyExponentialHistogram(), -1, 1<<30, 7, 1, 2)
			dp.SetZeroThreshold(1)
			dp.SetFlags(flag)
			dp.SetTimestamp(5)
			run(m, metrics, rule)
			p := m.ExponentialHistogram().DataPoints().At(0)
			require.Equal(t, []any{flag, pcommon.Timestamp(5), uint64(0), uint64(0)}, []any{p.Flags(), p.Timestamp(), p.Count(), total(m, 0)})
			require.Zero(t, p.Scale())
			require.Zero(t, p.ZeroThreshold())
			require.Zero(t, p.Positive().Offset())
		}
	})
	t.Run("goes along to exponential", func(t *testing.T) {
		metrics, m := newMetrics()
		m.SetEmptyHistogram().DataPoints().AppendEmpty().SetFlags(flag)
		run(m, metrics, exponentialTarget(3, 160, 0))
		require.True(t, m.ExponentialHistogram().DataPoints().At(0).Flags().NoRecordedValue())
	})
}

func TestMixedMetricIsSplitInTwo(t *testing.T) {
	t.Run("to explicit", func(t *testing.T) {
		metrics, m := newMetrics()
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		exponentialPoint(h, 2, 0, 1, 3).SetCount(99)
		exponentialPoint(h, 2, 0, 1, 3)
		report := run(m, metrics, explicitTarget(latency))
		require.Equal(t, 2, metrics.Len())
		require.Equal(t, pmetric.MetricTypeExponentialHistogram, m.Type())
		require.Equal(t, 1, count(m))
		other := metrics.At(1)
		require.Equal(t, pmetric.MetricTypeHistogram, other.Type())
		require.Equal(t, pmetric.AggregationTemporalityDelta, other.Histogram().AggregationTemporality())
		require.Equal(t, 1, count(other))
		require.Equal(t, []any{m.Name(), m.Unit(), m.Description(), m.Metadata().AsRaw()}, []any{other.Name(), other.Unit(), other.Description(), other.Metadata().AsRaw()})
		require.Equal(t, int64(1), report.Passed[convert.Invalid])
	})
	t.Run("to exponential", func(t *testing.T) {
		metrics, m := newMetrics()
		h := m.SetEmptyHistogram()
		explicitPoint(h, nil, 7)
		explicitPoint(h, latency, 1, 2, 3, 4, 5, 6)
		run(m, metrics, exponentialTarget(3, 160, 0))
		require.Equal(t, 2, metrics.Len())
		require.Equal(t, pmetric.MetricTypeHistogram, m.Type())
		require.Equal(t, pmetric.MetricTypeExponentialHistogram, metrics.At(1).Type())
		require.Equal(t, 1, count(m))
		require.Equal(t, 1, count(metrics.At(1)))
	})
}
