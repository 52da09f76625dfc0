package convert_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// gaugePoint appends a point. It has no value if value is nil.
func gaugePoint(m pmetric.Metric, route string, time pcommon.Timestamp, value any) pmetric.NumberDataPoint {
	if m.Type() != pmetric.MetricTypeGauge {
		m.SetEmptyGauge()
	}
	dp := m.Gauge().DataPoints().AppendEmpty()
	dp.Attributes().PutStr("route", route)
	dp.SetStartTimestamp(3)
	dp.SetTimestamp(time)
	switch v := value.(type) {
	case int:
		dp.SetIntValue(int64(v))
	case float64:
		dp.SetDoubleValue(v)
	}
	return dp
}

func TestGaugeToExplicit(t *testing.T) {
	metrics, m := newMetrics()
	gaugePoint(m, "/a", 110, 10).Exemplars().AppendEmpty().SetIntValue(10)
	gaugePoint(m, "/b", 100, 499.5)
	gaugePoint(m, "/a", 120, 10.5).Exemplars().AppendEmpty().SetDoubleValue(10.5)
	gaugePoint(m, "/a", 105, -7)
	gaugePoint(m, "/b", 0, 1e9)
	f := follow(explicitTarget(latency))
	f.c.Metric(m, metrics, newOrigin(), f.rule, f.report)

	require.Equal(t, 1, metrics.Len())
	require.Equal(t, "order.process_time", m.Name())
	require.Equal(t, pmetric.AggregationTemporalityDelta, m.Histogram().AggregationTemporality())
	require.Equal(t, 2, m.Histogram().DataPoints().Len())
	a, b := m.Histogram().DataPoints().At(0), m.Histogram().DataPoints().At(1)
	require.Equal(t, map[string]any{"route": "/a"}, a.Attributes().AsRaw())
	require.Equal(t, []uint64{1, 1, 1, 0, 0, 0}, a.BucketCounts().AsRaw())
	require.Equal(t, latency, a.ExplicitBounds().AsRaw())
	require.Equal(t, []any{uint64(3), 13.5, -7.0, 10.5}, []any{a.Count(), a.Sum(), a.Min(), a.Max()})
	require.Equal(t, []pcommon.Timestamp{104, 120}, []pcommon.Timestamp{a.StartTimestamp(), a.Timestamp()})
	require.Equal(t, 2, a.Exemplars().Len())
	require.Equal(t, []uint64{0, 0, 0, 0, 1, 1}, b.BucketCounts().AsRaw())
	require.Equal(t, []pcommon.Timestamp{0, 100}, []pcommon.Timestamp{b.StartTimestamp(), b.Timestamp()})
	require.EqualValues(t, 5, f.report.Converted[0][convert.GaugeLayout][convert.ExplicitLayout])
	require.Equal(t, []float64{0}, f.report.RankErrors)
}

// Every value is counted in its bucket, at a scale that fits all of them, or in the zero bucket.
func TestGaugeToExponential(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	rule := exponentialTarget(6, 20, 0.01)
	f := follow(rule)
	for range 300 {
		metrics, m := newMetrics()
		sent := map[string][]float64{}
		for i := range 1 + rng.IntN(60) {
			route := []string{"/a", "/b", "/c"}[rng.IntN(3)]
			var value any = rng.NormFloat64() * math.Exp(3*rng.NormFloat64())
			if rng.IntN(3) == 0 {
				value = rng.IntN(1000) - 500
			}
			p := gaugePoint(m, route, pcommon.Timestamp(100+i), value)
			if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
				value = float64(p.IntValue())
			}
			sent[route] = append(sent[route], value.(float64))
		}
		f.c.Metric(m, metrics, newOrigin(), rule, f.report)
		require.Equal(t, pmetric.AggregationTemporalityDelta, m.ExponentialHistogram().AggregationTemporality())
		require.Equal(t, len(sent), count(m))
		for _, dp := range m.ExponentialHistogram().DataPoints().All() {
			route, _ := dp.Attributes().Get("route")
			values := sent[route.Str()]
			want, sum := map[[2]int32]uint64{}, 0.0
			for _, v := range values {
				sum += v
				switch {
				case math.Abs(v) <= dp.ZeroThreshold():
					want[[2]int32{}]++
				case v > 0:
					want[[2]int32{1, expo.Index(dp.Scale(), v)}]++
				default:
					want[[2]int32{-1, expo.Index(dp.Scale(), -v)}]++
				}
			}
			got := map[[2]int32]uint64{{}: dp.ZeroCount()}
			for sign, b := range map[int32]pmetric.ExponentialHistogramDataPointBuckets{1: dp.Positive(), -1: dp.Negative()} {
				require.LessOrEqual(t, b.BucketCounts().Len(), 20)
				for i, n := range b.BucketCounts().All() {
					got[[2]int32{sign, b.Offset() + int32(i)}] = n
				}
			}
			for bucket, n := range got {
				if n == 0 {
					delete(got, bucket)
				}
			}
			require.Equal(t, want, got)
			require.GreaterOrEqual(t, dp.ZeroThreshold(), 0.01)
			require.EqualValues(t, len(values), dp.Count())
			require.InDelta(t, sum, dp.Sum(), 0)
			require.InDelta(t, slices.Min(values), dp.Min(), 0)
			require.InDelta(t, slices.Max(values), dp.Max(), 0)
		}
	}
}

// Points with a value that is not finite, or without a value, remain gauge points or are dropped. A marker that ends a
// series moves to the histogram.
func TestGaugeWithoutValue(t *testing.T) {
	for _, drop := range []bool{false, true} {
		metrics, m := newMetrics()
		gaugePoint(m, "/a", 100, math.NaN())
		gaugePoint(m, "/a", 110, 1)
		gaugePoint(m, "/b", 100, math.Inf(-1))
		gaugePoint(m, "/a", 120, nil)
		gaugePoint(m, "/c", 130, nil).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		rule := explicitTarget(latency)
		if drop {
			rule.OnInvalid = convert.DropInvalid
		}
		f := follow(rule)
		f.c.Metric(m, metrics, newOrigin(), rule, f.report)
		require.ErrorIs(t, f.report.Err, histpoint.ErrInvalid)
		require.ErrorContains(t, f.report.Err, "gauge value is NaN")
		h := m
		if drop {
			require.EqualValues(t, 3, f.report.Dropped)
			require.Equal(t, 1, metrics.Len())
		} else {
			require.EqualValues(t, 3, f.report.Passed[convert.Invalid])
			require.Equal(t, 2, metrics.Len())
			require.Equal(t, 3, m.Gauge().DataPoints().Len())
			h = metrics.At(1)
			require.Equal(t, m.Name(), h.Name())
		}
		require.Equal(t, 2, h.Histogram().DataPoints().Len())
		require.EqualValues(t, 1, h.Histogram().DataPoints().At(0).Count())
		end := h.Histogram().DataPoints().At(1)
		require.True(t, end.Flags().NoRecordedValue())
		require.EqualValues(t, 130, end.Timestamp())
		require.EqualValues(t, 1, f.report.Passed[convert.NoRecordedValue])
	}
}
