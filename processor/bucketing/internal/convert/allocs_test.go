package convert_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// exponentialMetric returns a metric with points of 160 occupied buckets, with attributes and an exemplar.
func exponentialMetric(points int) pmetric.Metric {
	m := pmetric.NewMetric()
	m.SetUnit("ms")
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	rng := rand.New(rand.NewPCG(1, 1))
	e := expo.New(160)
	for range 100000 {
		e.Record(math.Exp(rng.NormFloat64()*1.5+4), 1)
	}
	for i := range points {
		dp := h.DataPoints().AppendEmpty()
		dp.Attributes().PutStr("route", "/cart")
		dp.Attributes().PutInt("instance", int64(i))
		dp.Exemplars().AppendEmpty().SetDoubleValue(1)
		dp.SetScale(e.Scale)
		dp.SetCount(e.Count)
		dp.SetSum(e.Sum)
		dp.SetMin(e.Min)
		dp.SetMax(e.Max)
		dp.Positive().SetOffset(e.Positive.Offset)
		dp.Positive().BucketCounts().FromRaw(e.Positive.Counts)
	}
	return m
}

func cumulative(m pmetric.Metric) pmetric.Metric {
	m.ExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return m
}

func delta(m pmetric.Metric) pmetric.Metric {
	m.Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	return m
}

func explicitMetric(points int) pmetric.Metric {
	m := pmetric.NewMetric()
	m.SetUnit("ms")
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range points {
		dp := h.DataPoints().AppendEmpty()
		dp.Attributes().PutStr("route", "/cart")
		dp.Attributes().PutInt("instance", int64(i))
		dp.ExplicitBounds().FromRaw(otel)
		counts, total := make([]uint64, len(otel)+1), uint64(0)
		for k := range counts {
			counts[k] = uint64(100 * (i + k))
			total += counts[k]
		}
		dp.BucketCounts().FromRaw(counts)
		dp.SetCount(total)
	}
	return m
}

func explicitTarget(bounds []float64) *convert.Rule {
	return &convert.Rule{Explicit: &convert.Explicit{Bounds: map[string][]float64{"": bounds}}, WorkingScale: 2}
}

// perPoint converts 1000 points in one metric and returns the allocations per point.
func perPoint(m pmetric.Metric, rule *convert.Rule) float64 {
	const runs, points = 5, 1000
	c, report := convert.New(convert.NewPlans(8)), new(convert.Report)
	report.Reset(1)
	var inputs []pmetric.MetricSlice
	for range runs + 2 {
		metrics := pmetric.NewMetricSlice()
		m.CopyTo(metrics.AppendEmpty())
		inputs = append(inputs, metrics)
	}
	next, origin := 0, newOrigin()
	convertOne := func() {
		c.Metric(inputs[next].At(0), inputs[next], origin, rule, report)
		report.Reset(1)
		next++
	}
	convertOne() // allocates plans and scratch memory
	return testing.AllocsPerRun(runs, convertOne) / points
}

// If the type does not change and the layout shrinks, there are a few allocations per metric and none per point.
func TestAllocsSameType(t *testing.T) {
	for name, tt := range map[string]struct {
		m    pmetric.Metric
		rule *convert.Rule
	}{
		"explicit to fewer bounds":       {explicitMetric(1000), explicitTarget(latency)},
		"explicit to other bounds":       {explicitMetric(1000), explicitTarget([]float64{3, 30, 300})},
		"explicit, with state":           {explicitMetric(1000), stateful(explicitTarget([]float64{3, 30, 300}), convert.Reset)},
		"explicit delta by PCHIP":        {delta(explicitMetric(1000)), pchip(explicitTarget([]float64{3, 30, 300}))},
		"explicit to a limit, min_error": {delta(explicitMetric(1000)), minError(8)},
		"explicit to a limit":            {explicitMetric(1000), &convert.Rule{Limit: &convert.Limit{MaxBuckets: 8}}},
		"exponential to a size":          {exponentialMetric(1000), &convert.Rule{Exponential: &convert.Exponential{MaxScale: 3, MaxSize: 80}}},
		"exponential to a limit":         {exponentialMetric(1000), &convert.Rule{Limit: &convert.Limit{MaxBuckets: 31}}},
		"exponential as it is":           {exponentialMetric(1000), &convert.Rule{Exponential: &convert.Exponential{MaxScale: 20, MaxSize: 160}}},
	} {
		t.Run(name, func(t *testing.T) {
			// One allocation per metric of 1,000 points. With the race detector, whose sync.Pool drops objects at random, there
			// are about nine.
			require.Less(t, perPoint(tt.m, tt.rule), 0.03)
		})
	}
}

// A new point needs allocations for itself, its counts, and its bounds or its second run of buckets.
func TestAllocsOtherType(t *testing.T) {
	require.LessOrEqual(t, perPoint(exponentialMetric(1000), explicitTarget(otel)), 3.05)
	require.LessOrEqual(t, perPoint(exponentialMetric(1000), pchip(explicitTarget(otel))), 3.05)
	require.LessOrEqual(t, perPoint(cumulative(exponentialMetric(1000)), explicitTarget(otel)), 3.05)
	require.LessOrEqual(t, perPoint(cumulative(exponentialMetric(1000)), stateful(explicitTarget(otel), convert.Reset)), 3.05)
	require.LessOrEqual(t, perPoint(explicitMetric(1000), &convert.Rule{Exponential: &convert.Exponential{MaxScale: 8, MaxSize: 160}}), 3.05)
}

// BenchmarkMetric includes reading and writing points in pdata. Copying the input is not measured.
func BenchmarkMetric(b *testing.B) {
	for _, bm := range []struct {
		name string
		m    pmetric.Metric
		rule *convert.Rule
	}{
		{"exponential-160-to-explicit-16", exponentialMetric(100), explicitTarget(otel)},
		{"exponential-160-to-explicit-16-pchip", exponentialMetric(100), pchip(explicitTarget(otel))},
		{"exponential-160-to-explicit-16-cumulative", cumulative(exponentialMetric(100)), explicitTarget(otel)},
		{"exponential-160-to-explicit-16-stateful", cumulative(exponentialMetric(100)), stateful(explicitTarget(otel), convert.Reset)},
		{"exponential-160-to-80", exponentialMetric(100), &convert.Rule{Exponential: &convert.Exponential{MaxScale: 20, MaxSize: 80}}},
		{"explicit-16-to-explicit-6-merge", explicitMetric(100), explicitTarget([]float64{0, 10, 50, 100, 500})},
		{"explicit-16-to-explicit-4-split", explicitMetric(100), explicitTarget([]float64{3, 30, 300})},
		{"explicit-16-to-explicit-4-pchip", delta(explicitMetric(100)), pchip(explicitTarget([]float64{3, 30, 300}))},
		{"explicit-16-to-8-min_error", delta(explicitMetric(100)), minError(8)},
		{"explicit-16-to-exponential-pchip", delta(explicitMetric(100)), pchip(&convert.Rule{Exponential: &convert.Exponential{MaxScale: 8, MaxSize: 160}})},
		{"explicit-16-to-exponential", explicitMetric(100), &convert.Rule{Exponential: &convert.Exponential{MaxScale: 8, MaxSize: 160}}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			c, report := convert.New(convert.NewPlans(8)), new(convert.Report)
			origin := newOrigin()
			b.ReportAllocs()
			points := count(bm.m)
			for done := 0; done < b.N; done += points {
				b.StopTimer()
				metrics := pmetric.NewMetricSlice()
				bm.m.CopyTo(metrics.AppendEmpty())
				report.Reset(1)
				b.StartTimer()
				c.Metric(metrics.At(0), metrics, origin, bm.rule, report)
			}
		})
	}
}
