package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// TestEverySignal: the OpenTelemetry SDK sends metrics with exemplars, a span and a log record of one request during an outage, and
// metricsudp a line. All of them go through the limits, the buckets and the log. The backend gets names, descriptions, units, attributes
// and the trace of each.
func TestEverySignal(t *testing.T) {
	g := newGateway(t, "gateway.yaml", loaded, impatient, strings.ReplaceAll(impatient, "fallbacklog", "fallbacklog/metrics"))
	g.start()
	from := resource.NewSchemaless(attribute.String("service.name", "checkout"))

	spans, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(g.grpc), otlptracegrpc.WithInsecure())
	require.NoError(t, err)
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(from))
	points, err := otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpoint(g.grpc), otlpmetricgrpc.WithInsecure())
	require.NoError(t, err)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)), sdkmetric.WithResource(from))
	records, err := otlploggrpc.New(t.Context(), otlploggrpc.WithEndpoint(g.grpc), otlploggrpc.WithInsecure())
	require.NoError(t, err)
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records)), sdklog.WithResource(from))

	meter := meters.Meter("checkout")
	placed, err := meter.Int64Counter("orders.placed", metric.WithDescription("Orders that were placed."), metric.WithUnit("{order}"))
	require.NoError(t, err)
	waiting, err := meter.Int64Gauge("orders.waiting", metric.WithDescription("Orders that wait."), metric.WithUnit("{order}"))
	require.NoError(t, err)
	took, err := meter.Float64Histogram("checkout.time", metric.WithDescription("Time of a checkout."), metric.WithUnit("ms"),
		metric.WithExplicitBucketBoundaries(5, 10, 20, 25, 30)) // the gateway gives it the SDKs' default bounds
	require.NoError(t, err)
	ctx, span := tracers.Tracer("checkout").Start(t.Context(), "checkout")
	where := metric.WithAttributes(attribute.String("shop", "s1"))
	placed.Add(ctx, 3, where)
	waiting.Record(ctx, 17, where)
	took.Record(ctx, 7, where)
	var record log.Record
	record.SetTimestamp(time.Now())
	record.SetBody(attribute.StringValue("placed"))
	loggers.Logger("checkout").Emit(ctx, record)
	span.End()
	g.sendDatagram(t, "shop.visits:2|c|#shop:s1")
	for _, shutdown := range []func() error{
		func() error { return tracers.Shutdown(withTimeout(t)) },
		func() error { return meters.Shutdown(withTimeout(t)) },
		func() error { return loggers.Shutdown(withTimeout(t)) },
	} {
		require.NoError(t, shutdown(), "an outage is nothing that a sender sees")
	}

	r := startRecorder(t, g.backend)
	trace := pcommon.TraceID(span.SpanContext().TraceID())
	eventually(t, "the span arrives", func() bool { return len(r.spans()) == 1 })
	eventually(t, "four metrics arrive", func() bool { return len(r.byName()) == 4 })
	eventually(t, "the record arrives", func() bool { return len(r.eventNames()) == 1 })
	g.stop()

	assert.Equal(t, trace, r.traces[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID())
	assert.Equal(t, trace, r.logs[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).TraceID())
	all := r.byName()
	for name, want := range map[string][2]string{
		"orders.placed":  {"Orders that were placed.", "{order}"},
		"orders.waiting": {"Orders that wait.", "{order}"},
		"checkout.time":  {"Time of a checkout.", "ms"},
		"shop.visits":    {"", ""},
	} {
		require.Contains(t, all, name)
		assert.Equal(t, want, [2]string{all[name].Description(), all[name].Unit()}, name)
	}
	shop := map[string]any{"shop": "s1"}
	counter := all["orders.placed"].Sum().DataPoints().At(0)
	assert.Equal(t, shop, counter.Attributes().AsRaw())
	assert.EqualValues(t, 3, counter.IntValue())
	gauge := all["orders.waiting"].Gauge().DataPoints().At(0)
	assert.Equal(t, shop, gauge.Attributes().AsRaw())
	assert.EqualValues(t, 17, gauge.IntValue())
	assert.EqualValues(t, 2, all["shop.visits"].Sum().DataPoints().At(0).IntValue())
	histogram := all["checkout.time"].Histogram().DataPoints().At(0)
	assert.Equal(t, shop, histogram.Attributes().AsRaw())
	assert.EqualValues(t, 1, histogram.Count())
	assert.InDelta(t, 7, histogram.Sum(), 0)
	assert.Contains(t, histogram.ExplicitBounds().AsRaw(), 10_000.0, "of the SDKs' default bounds")
	for name, exemplars := range map[string]pmetric.ExemplarSlice{"counter": counter.Exemplars(), "histogram": histogram.Exemplars()} {
		if assert.Equal(t, 1, exemplars.Len(), name) {
			assert.Equal(t, trace, exemplars.At(0).TraceID(), name)
		}
	}
}

// byName returns one metric of each name.
func (r *recorder) byName() map[string]pmetric.Metric {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]pmetric.Metric{}
	for _, md := range r.metrics {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					out[m.Name()] = m
				}
			}
		}
	}
	return out
}
