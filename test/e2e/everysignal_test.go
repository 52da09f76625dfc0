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

// TestEverySignal: during an outage the OpenTelemetry SDK sends metrics with exemplars, a span and a log record of one request, and a
// StatsD client sends a line. The metrics go through buckets and limits, and all of it through the log. The backend gets the metrics with
// their descriptions, units and attributes, and exemplars, span and record with the trace of the request.
func TestEverySignal(t *testing.T) {
	g := newGateway(t, "gateway.yaml", loaded, impatient, strings.ReplaceAll(impatient, "fallbacklog", "fallbacklog/metrics"))
	g.start()
	service := resource.NewSchemaless(attribute.String("service.name", "checkout"))

	spanExporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(g.grpc), otlptracegrpc.WithInsecure())
	require.NoError(t, err)
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spanExporter), sdktrace.WithResource(service))
	metricExporter, err := otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpoint(g.grpc), otlpmetricgrpc.WithInsecure())
	require.NoError(t, err)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metricExporter)), sdkmetric.WithResource(service))
	logExporter, err := otlploggrpc.New(t.Context(), otlploggrpc.WithEndpoint(g.grpc), otlploggrpc.WithInsecure())
	require.NoError(t, err)
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(logExporter)), sdklog.WithResource(service))

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
		require.NoError(t, shutdown(), "senders see no error during an outage")
	}
	const logged = "otelcol_exporter_fallbacklog_logged_items_total"
	for signal, least := range map[string]float64{"metrics": 4, "traces": 1, "logs": 1} {
		eventually(t, signal+" are in the log", func() bool { return g.own(logged, "signal", signal) >= least })
	}

	r := startRecorder(t, g.backend)
	trace := pcommon.TraceID(span.SpanContext().TraceID())
	eventually(t, "the span arrives", func() bool { return len(r.spans()) > 0 })
	eventually(t, "four metrics arrive", func() bool { return len(r.byName()) == 4 })
	eventually(t, "the record arrives", func() bool { return len(r.eventNames()) > 0 })
	g.stop()

	r.mu.Lock()
	assert.Equal(t, trace, r.traces[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID())
	assert.Equal(t, trace, r.logs[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).TraceID())
	r.mu.Unlock()
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
	visits := all["shop.visits"].Sum().DataPoints().At(0)
	assert.Equal(t, "s1", visits.Attributes().AsRaw()["shop"])
	assert.EqualValues(t, 2, visits.IntValue())
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
