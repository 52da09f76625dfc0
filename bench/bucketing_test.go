package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing"
)

// otelBounds are the SDKs' default bounds.
var otelBounds = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}

// converter is a processor with its settings.
type converter struct {
	name     string
	factory  processor.Factory
	settings map[string]any
}

// ours returns the bucketing processor with one rule.
func ours(name string, rule map[string]any) converter {
	return converter{name, bucketing.NewFactory(), map[string]any{"rules": []any{rule}}}
}

// transform returns contrib's transform processor with one statement.
func transform(name, context, statement string) converter {
	return converter{name, transformprocessor.NewFactory(), map[string]any{
		"metric_statements": []any{map[string]any{"context": context, "statements": []any{statement}}},
	}}
}

// toExplicit returns the converters from exponential histograms to explicit bounds.
func toExplicit(bounds []float64) []converter {
	texts, list := make([]string, 0, len(bounds)), make([]any, 0, len(bounds))
	for _, b := range bounds {
		texts, list = append(texts, fmt.Sprintf("%.1f", b)), append(list, b)
	}
	target := map[string]any{"explicit": map[string]any{"bounds": list}}
	converters := []converter{
		ours("bucketing", map[string]any{"target": target}),
		ours("bucketing-stateful", map[string]any{"target": target, "cumulative": map[string]any{"mode": "stateful"}}),
	}
	for _, method := range []string{"upper", "midpoint", "uniform", "random"} {
		converters = append(converters, transform("transform-"+method, "metric",
			fmt.Sprintf("convert_exponential_histogram_to_histogram(%q, [%s])", method, strings.Join(texts, ", "))))
	}
	return converters
}

// start starts the processor. It sends its output to next.
func (c converter) start(tb testing.TB, next func(pmetric.Metrics)) processor.Metrics {
	cfg := c.factory.CreateDefaultConfig()
	require.NoError(tb, confmap.NewFromStringMap(c.settings).Unmarshal(cfg))
	require.NoError(tb, confmap.Validate(cfg))
	sink, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		next(md)
		return nil
	})
	require.NoError(tb, err)
	p, err := c.factory.CreateMetrics(tb.Context(), processortest.NewNopSettings(c.factory.Type()), cfg, sink)
	require.NoError(tb, err)
	require.NoError(tb, p.Start(tb.Context(), componenttest.NewNopHost()))
	tb.Cleanup(func() { require.NoError(tb, p.Shutdown(context.WithoutCancel(tb.Context()))) })
	return p
}

// batchPoints is the number of points of a batch, a usual one for an SDK's exporter.
const batchPoints = 1000

// exponentialBatch returns a cumulative metric with one stream per point. A point has 160 occupied buckets, the most that
// an SDK sends.
func exponentialBatch() pmetric.Metrics {
	h := expo.New(expo.DefaultMaxSize)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		h.Record(math.Exp(rng.NormFloat64()*1.5+4), 1)
	}
	md, m := newMetric()
	e := m.SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range batchPoints {
		dp := e.DataPoints().AppendEmpty()
		label(dp, i)
		histpoint.StoreExponential(dp, h)
		histpoint.SetTotals(dp, histpoint.Totals{Sum: h.Sum, Min: h.Min, Max: h.Max, HasSum: true, HasMin: true, HasMax: true})
	}
	return md
}

// explicitBatch returns a metric with one stream per point. A point is an explicit histogram with 16 buckets.
func explicitBatch(temporality pmetric.AggregationTemporality) pmetric.Metrics {
	md, m := newMetric()
	e := m.SetEmptyHistogram()
	e.SetAggregationTemporality(temporality)
	for i := range batchPoints {
		dp := e.DataPoints().AppendEmpty()
		label(dp, i)
		h := histpoint.Explicit{Bounds: otelBounds}
		for k := range len(otelBounds) + 1 {
			h.Counts = append(h.Counts, uint64(100*(i+k)))
			h.Count += h.Counts[k]
		}
		histpoint.StoreExplicit(dp, &h)
	}
	return md
}

func newMetric() (pmetric.Metrics, pmetric.Metric) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "order")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("order.process_time")
	m.SetUnit("ms")
	return md, m
}

func label[P histpoint.Point](dp P, i int) {
	dp.Attributes().PutStr("route", "/cart")
	dp.Attributes().PutInt("instance", int64(i))
}

// cost is the cost per point.
type cost struct{ nanoseconds, allocations float64 }

// batchesPerRound makes a round last some milliseconds.
const batchesPerRound = 20

// BenchmarkBucketing measures the time of a processor per point, including pdata. Copying the input is not measured.
func BenchmarkBucketing(b *testing.B) {
	toEight := []converter{
		ours("bucketing", map[string]any{"target": map[string]any{"limit": map[string]any{"max_buckets": 8}}}),
		transform("transform-merge", "datapoint", `merge_histogram_buckets(8, "limit_buckets")`),
	}
	for _, traffic := range []struct {
		name       string
		batch      pmetric.Metrics
		contenders []converter
	}{
		{"exponential-160-to-explicit-16", exponentialBatch(), toExplicit(otelBounds)},
		{"explicit-16-to-8-delta", explicitBatch(pmetric.AggregationTemporalityDelta), toEight},
		// For cumulative streams bucketing computes the identity and checks whether their bounds have changed.
		{"explicit-16-to-8-cumulative", explicitBatch(pmetric.AggregationTemporalityCumulative), toEight},
		{"explicit-16-less-one", explicitBatch(pmetric.AggregationTemporalityDelta), []converter{
			ours("bucketing", map[string]any{"target": map[string]any{"limit": map[string]any{"max_buckets": 15}}}),
			transform("transform-merge", "datapoint", `merge_histogram_buckets(75.0)`),
		}},
	} {
		b.Run(traffic.name, func(b *testing.B) {
			processors := make([]processor.Metrics, len(traffic.contenders))
			for i, c := range traffic.contenders {
				converted := 0
				processors[i] = c.start(b, func(md pmetric.Metrics) { converted += md.DataPointCount() })
				measure(b, processors[i], traffic.batch, 1) // allocates plans, streams and scratch memory
				require.Equal(b, batchPoints, converted)
			}
			costs, first := make([][]cost, len(processors)), 0
			for b.Loop() {
				for i := range processors {
					at := (first + i) % len(processors)
					costs[at] = append(costs[at], measure(b, processors[at], traffic.batch, batchesPerRound))
				}
				first++
			}
			for i, c := range traffic.contenders {
				b.ReportMetric(spreadOf(costs[i], func(c cost) float64 { return c.nanoseconds }).median, c.name+"-ns/point")
				b.ReportMetric(spreadOf(costs[i], func(c cost) float64 { return c.allocations }).median, c.name+"-allocs/point")
			}
			b.ReportMetric(0, "ns/op") // a round consists of all contenders
		})
	}
}

func measure(tb testing.TB, p processor.Metrics, batch pmetric.Metrics, batches int) cost {
	inputs := make([]pmetric.Metrics, batches)
	for i := range inputs {
		inputs[i] = pmetric.NewMetrics()
		batch.CopyTo(inputs[i])
	}
	runtime.GC() // removes the garbage of the other contenders
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for _, md := range inputs {
		require.NoError(tb, p.ConsumeMetrics(tb.Context(), md))
	}
	elapsed := time.Since(began)
	runtime.ReadMemStats(&after)
	points := float64(batches * batch.DataPointCount())
	return cost{float64(elapsed.Nanoseconds()) / points, float64(after.Mallocs-before.Mallocs) / points}
}
