package fallbacklog

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/metadata"
)

// dropFull is the reason of what log::on_full drops.
const dropFull = "full"

// coreTelemetry is what a component reports once for all signals.
type coreTelemetry struct {
	*metadata.TelemetryBuilder
	exporter attribute.KeyValue
}

func newCoreTelemetry(c *core, set exporter.Settings) (*coreTelemetry, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	t := &coreTelemetry{tb, attribute.String("exporter", set.ID.String())}
	attrs := metric.WithAttributeSet(attribute.NewSet(t.exporter))
	return t, errors.Join(
		tb.RegisterExporterFallbacklogBreakerStateCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(c.breaker.State()), attrs)
			return nil
		}),
		tb.RegisterExporterFallbacklogCapacityBytesCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(c.cfg.Log.MaxDiskMiB*mib, attrs)
			return nil
		}),
	)
}

func (t *coreTelemetry) transition(from, to breaker.State) {
	t.ExporterFallbacklogBreakerTransitions.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(
		t.exporter, attribute.String("from", from.String()), attribute.String("to", to.String()))))
}

func (t *coreTelemetry) shutdown() { t.Shutdown() }

// laneTelemetry is what each signal reports. What a healthy batch touches has its attributes made beforehand.
type laneTelemetry struct {
	tb       *metadata.TelemetryBuilder
	now      func() time.Time
	common   []attribute.KeyValue
	attrs    metric.MeasurementOption
	direct   metric.MeasurementOption
	replayed metric.MeasurementOption
}

func newLaneTelemetry(c *core, set exporter.Settings, signal string) (*laneTelemetry, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	t := &laneTelemetry{tb: tb, now: c.now, common: []attribute.KeyValue{
		attribute.String("exporter", set.ID.String()), attribute.String("signal", signal),
	}}
	t.attrs = t.with()
	t.direct = t.with(attribute.String("path", "direct"))
	t.replayed = t.with(attribute.String("path", "replayed"))
	return t, nil
}

func (t *laneTelemetry) with(more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(more, t.common...)...))
}

// observe registers the gauges of a lane's log.
func (t *laneTelemetry) observe(l *lane) error {
	return errors.Join(
		t.tb.RegisterExporterFallbacklogBytesOnDiskCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(l.log.Stats().Bytes, t.attrs)
			return nil
		}),
		t.tb.RegisterExporterFallbacklogSegmentsCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(l.log.Stats().Segments), t.attrs)
			return nil
		}),
		t.tb.RegisterExporterFallbacklogOldestRecordAgeCallback(func(_ context.Context, o metric.Float64Observer) error {
			age := 0.0
			if oldest := l.log.Stats().Oldest; !oldest.IsZero() {
				age = max(0, t.now().Sub(oldest).Seconds())
			}
			o.Observe(age, t.attrs)
			return nil
		}),
	)
}

func (t *laneTelemetry) shutdown() { t.tb.Shutdown() }

func (t *laneTelemetry) received(items int) {
	t.tb.ExporterFallbacklogReceivedItems.Add(context.Background(), int64(items), t.attrs)
}

func (t *laneTelemetry) delivered(replayed bool, items int) {
	attrs := t.direct
	if replayed {
		attrs = t.replayed
	}
	t.tb.ExporterFallbacklogDeliveredItems.Add(context.Background(), int64(items), attrs)
}

func (t *laneTelemetry) logged(reason string, items, size int) {
	ctx := context.Background()
	t.tb.ExporterFallbacklogLoggedItems.Add(ctx, int64(items), t.with(attribute.String("reason", reason)))
	t.tb.ExporterFallbacklogLoggedBytes.Add(ctx, int64(size), t.attrs)
}

func (t *laneTelemetry) buried(code string, items int) {
	t.tb.ExporterFallbacklogDeadLetterItems.Add(context.Background(), int64(items), t.with(attribute.String("code", code)))
}

func (t *laneTelemetry) dropped(reason string, items int) {
	t.tb.ExporterFallbacklogDroppedItems.Add(context.Background(), int64(items), t.with(attribute.String("reason", reason)))
}

func (t *laneTelemetry) rejected(items int) {
	t.tb.ExporterFallbacklogRejectedItems.Add(context.Background(), int64(items), t.attrs)
}

func (t *laneTelemetry) expired(items int) {
	t.tb.ExporterFallbacklogExpiredItems.Add(context.Background(), int64(items), t.attrs)
}

func (t *laneTelemetry) replayFailed() {
	t.tb.ExporterFallbacklogReplayFailures.Add(context.Background(), 1, t.attrs)
}

func (t *laneTelemetry) failed(errorType string) {
	t.tb.ExporterFallbacklogErrors.Add(context.Background(), 1, t.with(attribute.String("error_type", errorType)))
}

func (t *laneTelemetry) exported(took time.Duration) {
	ctx := context.Background()
	t.tb.ExporterFallbacklogExportLatency.Record(ctx, took.Seconds(), t.attrs)
	t.tb.ExporterFallbacklogExportDuration.Record(ctx, took.Seconds(), t.attrs)
}

func (t *laneTelemetry) synced(took time.Duration, err error) {
	t.tb.ExporterFallbacklogFsyncDuration.Record(context.Background(), took.Seconds(), t.attrs)
	if err != nil {
		t.failed("fsync")
	}
}

func (t *laneTelemetry) corrupt(n int64) {
	t.tb.ExporterFallbacklogCorruptBytes.Add(context.Background(), n, t.attrs)
}
