package convert_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

const metricsPerRule = 1000

// eachRule converts random metrics of both kinds and temporalities by each rule, and calls the check with a copy of the
// original metric and the converted one.
func eachRule(t *testing.T, seed uint64, check func(rng *rand.Rand, r *convert.Rule, before, after pmetric.Metric)) {
	rng := rand.New(rand.NewPCG(seed, seed))
	c, report, points := convert.New(convert.NewPlans(64)), newReport(), 0
	for _, rule := range rules() {
		for range metricsPerRule {
			metrics, m := newMetrics()
			before := pmetric.NewMetric()
			temporality := pmetric.AggregationTemporality(1 + rng.IntN(2))
			if rng.IntN(2) == 0 {
				h := m.SetEmptyHistogram()
				h.SetAggregationTemporality(temporality)
				for id := range rng.IntN(4) + 1 {
					dp := h.DataPoints().AppendEmpty()
					randomExplicit(rng, dp)
					fill(rng, dp, id)
				}
			} else {
				h := m.SetEmptyExponentialHistogram()
				h.SetAggregationTemporality(temporality)
				for id := range rng.IntN(4) + 1 {
					dp := h.DataPoints().AppendEmpty()
					randomExponential(rng, dp)
					fill(rng, dp, id)
				}
			}
			m.CopyTo(before)
			c.Metric(m, metrics, newOrigin(), rule, report)
			require.NoError(t, report.Err)
			require.Equal(t, 1, metrics.Len())
			check(rng, rule, before, m)
			points += count(m)
		}
	}
	t.Logf("%d points", points)
	require.LessOrEqual(t, len(rules())*metricsPerRule, points)
}

func count(m pmetric.Metric) int {
	if m.Type() == pmetric.MetricTypeHistogram {
		return m.Histogram().DataPoints().Len()
	}
	return m.ExponentialHistogram().DataPoints().Len()
}

func pointAt(m pmetric.Metric, i int) histpoint.Point {
	if m.Type() == pmetric.MetricTypeHistogram {
		return m.Histogram().DataPoints().At(i)
	}
	return m.ExponentialHistogram().DataPoints().At(i)
}

func total(m pmetric.Metric, i int) uint64 {
	var sum uint64
	add := func(s pcommon.UInt64Slice) {
		for _, n := range s.All() {
			sum += n
		}
	}
	if m.Type() == pmetric.MetricTypeHistogram {
		add(m.Histogram().DataPoints().At(i).BucketCounts())
		return sum
	}
	dp := m.ExponentialHistogram().DataPoints().At(i)
	add(dp.Positive().BucketCounts())
	add(dp.Negative().BucketCounts())
	return sum + dp.ZeroCount()
}

func TestBucketsAddUpToCount(t *testing.T) {
	eachRule(t, 1, func(_ *rand.Rand, _ *convert.Rule, _, after pmetric.Metric) {
		for i := range count(after) {
			require.Equal(t, pointAt(after, i).Count(), total(after, i))
		}
	})
}

func TestEverythingElseIsUnchanged(t *testing.T) {
	eachRule(t, 2, func(_ *rand.Rand, _ *convert.Rule, before, after pmetric.Metric) {
		require.Equal(t, before.Name(), after.Name())
		require.Equal(t, before.Unit(), after.Unit())
		require.Equal(t, before.Description(), after.Description())
		require.Equal(t, before.Metadata().AsRaw(), after.Metadata().AsRaw())
		require.Equal(t, count(before), count(after))
		for i := range count(before) {
			require.Equal(t, fieldsOf(pointAt(before, i)), fieldsOf(pointAt(after, i)))
		}
	})
}

// Converted points have the bounds, or the scale and sizes, of the target.
func TestTargetIsMet(t *testing.T) {
	eachRule(t, 3, func(_ *rand.Rand, r *convert.Rule, before, after pmetric.Metric) {
		for i := range count(after) {
			switch {
			case r.Explicit != nil:
				dp := after.Histogram().DataPoints().At(i)
				require.Equal(t, r.Explicit.Bounds[""], dp.ExplicitBounds().AsRaw())
				require.Equal(t, dp.ExplicitBounds().Len()+1, dp.BucketCounts().Len())
			case r.Exponential != nil:
				dp := after.ExponentialHistogram().DataPoints().At(i)
				require.LessOrEqual(t, dp.Scale(), r.Exponential.MaxScale)
				require.LessOrEqual(t, dp.Positive().BucketCounts().Len(), r.Exponential.MaxSize)
				require.LessOrEqual(t, dp.Negative().BucketCounts().Len(), r.Exponential.MaxSize)
				require.GreaterOrEqual(t, dp.ZeroThreshold(), r.Exponential.ZeroThreshold)
			case after.Type() == pmetric.MetricTypeHistogram:
				dp := after.Histogram().DataPoints().At(i)
				require.LessOrEqual(t, dp.BucketCounts().Len(), r.Limit.MaxBuckets)
				require.Subset(t, before.Histogram().DataPoints().At(i).ExplicitBounds().AsRaw(), dp.ExplicitBounds().AsRaw())
			default:
				dp := after.ExponentialHistogram().DataPoints().At(i)
				require.LessOrEqual(t, dp.Positive().BucketCounts().Len()+dp.Negative().BucketCounts().Len()+1, r.Limit.MaxBuckets)
			}
		}
	})
}

// wire returns a metric in protobuf, which contains every bit of it.
func wire(t *testing.T, m pmetric.Metric) []byte {
	md := pmetric.NewMetrics()
	m.CopyTo(md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty())
	b, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return b
}

func TestIdempotent(t *testing.T) {
	c, report := convert.New(convert.NewPlans(64)), newReport()
	eachRule(t, 4, func(_ *rand.Rand, r *convert.Rule, _, after pmetric.Metric) {
		metrics := pmetric.NewMetricSlice()
		again := metrics.AppendEmpty()
		after.CopyTo(again)
		c.Metric(again, metrics, newOrigin(), r, report)
		require.Equal(t, wire(t, after), wire(t, again))
	})
}

// Lowering scale and size moves whole buckets: each count is in the bucket with the shifted index, or in the zero bucket if
// the threshold was raised above it.
func TestExponentialReductionIsExact(t *testing.T) {
	eachRule(t, 5, func(_ *rand.Rand, r *convert.Rule, before, after pmetric.Metric) {
		if before.Type() != pmetric.MetricTypeExponentialHistogram || after.Type() != before.Type() {
			return
		}
		for i := range count(before) {
			original, reduced := before.ExponentialHistogram().DataPoints().At(i), after.ExponentialHistogram().DataPoints().At(i)
			var h expo.Histogram
			require.NoError(t, histpoint.LoadExponential(&h, original))
			h.Normalize(1000) // no point has more
			histpoint.StoreExponential(original, &h)
			raisedAt := original.Scale() // the scale to whose bounds the threshold is raised
			if r.Exponential != nil {
				raisedAt = min(raisedAt, r.Exponential.MaxScale)
			}
			inZero := func(index int64) bool {
				return reduced.ZeroThreshold() > original.ZeroThreshold() && expo.UpperBound(raisedAt, int32(index)) <= reduced.ZeroThreshold()
			}
			zero := original.ZeroCount()
			for _, sign := range []struct {
				original, reduced pmetric.ExponentialHistogramDataPointBuckets
			}{{original.Positive(), reduced.Positive()}, {original.Negative(), reduced.Negative()}} {
				want, got := map[int64]uint64{}, map[int64]uint64{}
				for k, n := range sign.original.BucketCounts().All() {
					index := (int64(sign.original.Offset()) + int64(k)) >> min(int64(original.Scale())-int64(raisedAt), 63)
					switch {
					case n == 0:
					case inZero(index):
						zero += n
					default:
						want[index>>(raisedAt-reduced.Scale())] += n
					}
				}
				for k, n := range sign.reduced.BucketCounts().All() {
					if n > 0 {
						got[int64(sign.reduced.Offset())+int64(k)] = n
					}
				}
				require.Equal(t, want, got)
			}
			require.Equal(t, zero, reduced.ZeroCount())
		}
	})
}

func TestCumulativeBucketsNeverDecrease(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	c, report, exports := convert.New(convert.NewPlans(8)), newReport(), 0
	for range 400 {
		source := pmetric.NewHistogramDataPoint()
		randomExplicit(rng, source)
		for _, rule := range rules() {
			if rule.Exponential != nil {
				continue // see the test with cumulativetodelta
			}
			var last []uint64
			stream := pmetric.NewHistogramDataPoint()
			source.CopyTo(stream)
			for range 10 {
				metrics, m := newMetrics()
				h := m.SetEmptyHistogram()
				h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
				stream.CopyTo(h.DataPoints().AppendEmpty())
				c.Metric(m, metrics, newOrigin(), rule, report)
				now := h.DataPoints().At(0).BucketCounts().AsRaw()
				for i := range last {
					require.GreaterOrEqual(t, now[i], last[i])
				}
				last = now
				exports++

				room := math.MaxUint64 - stream.Count()
				grow := min(room, max(1, rng.Uint64()>>rng.IntN(64)))
				i := rng.IntN(stream.BucketCounts().Len())
				stream.BucketCounts().SetAt(i, stream.BucketCounts().At(i)+grow)
				stream.SetCount(stream.Count() + grow)
			}
		}
	}
	t.Logf("%d exports", exports)
}
