// Package shop has the order and the payment service of the demonstration.
package shop

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// exportInterval is short, so that the demonstration shows results soon.
const exportInterval = time.Second

// Telemetry sends a service's traces, metrics and logs.
type Telemetry struct {
	tracer     trace.Tracer
	meter      metric.Meter
	logger     log.Logger
	propagator propagation.TextMapPropagator
	shutdown   []func(context.Context) error
}

// NewTelemetry exports over OTLP gRPC to the endpoint that the SDK's environment variables name.
func NewTelemetry(ctx context.Context, service string) (*Telemetry, error) {
	identity := resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.instance.id", service+"-1"))
	spans, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, err
	}
	metrics, err := otlpmetricgrpc.New(ctx)
	if err != nil {
		return nil, err
	}
	records, err := otlploggrpc.New(ctx)
	if err != nil {
		return nil, err
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans, sdktrace.WithBatchTimeout(exportInterval)), sdktrace.WithResource(identity))
	meters := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics, sdkmetric.WithInterval(exportInterval))),
		sdkmetric.WithResource(identity),
		// The SDK's own limit of 2,000 attribute sets is off, so that the gateway must limit the series.
		sdkmetric.WithCardinalityLimit(0),
	)
	logs := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records, sdklog.WithExportInterval(exportInterval))), sdklog.WithResource(identity))
	const scope = "github.com/otelcol-custom/otelcol-custom/examples/orders"
	return &Telemetry{
		tracer: traces.Tracer(scope), meter: meters.Meter(scope), logger: logs.Logger(scope),
		propagator: propagation.TraceContext{},
		shutdown:   []func(context.Context) error{traces.Shutdown, meters.Shutdown, logs.Shutdown},
	}, nil
}

// Shutdown sends the remaining data.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, end := range t.shutdown {
		errs = append(errs, end(ctx))
	}
	return errors.Join(errs...)
}

// logError writes a log record that belongs to the span of the context.
func (t *Telemetry) logError(ctx context.Context, err error) {
	var r log.Record
	r.SetTimestamp(time.Now())
	r.SetSeverity(log.SeverityError)
	r.SetBody(attribute.StringValue(err.Error()))
	t.logger.Emit(ctx, r)
}
