package fallbacklog

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/fromzero"
	"github.com/otelcol-custom/otelcol-custom/internal/sampled"
	"github.com/otelcol-custom/otelcol-custom/internal/selfcount"
)

// errorType is the name of a failure's class, in metrics and log lines.
const errorType = "error_type"

// coreTelemetry contains the metrics that a component reports once for all signals.
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
			o.Observe(c.logBudget.Capacity(), attrs)
			return nil
		}),
		tb.RegisterExporterFallbacklogOrphanedBytesCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(c.orphans.bytes.Load(), attrs)
			return nil
		}),
		tb.RegisterExporterFallbacklogSecondsToFullCallback(func(_ context.Context, o metric.Float64Observer) error {
			if s, ok := c.forecast.full(); ok {
				o.Observe(s, attrs)
			}
			return nil
		}),
		tb.RegisterExporterFallbacklogSecondsToDrainedCallback(func(_ context.Context, o metric.Float64Observer) error {
			if s, ok := c.forecast.drained(); ok {
				o.Observe(s, attrs)
			}
			return nil
		}),
	)
}

func (t *coreTelemetry) transition(from, to breaker.State) {
	t.ExporterFallbacklogBreakerTransitions.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(
		t.exporter, attribute.String("from", from.String()), attribute.String("to", to.String()))))
}

func (t *coreTelemetry) shutdown() { t.Shutdown() }

// laneTelemetry contains the metrics and log lines of one signal. The attributes that a healthy batch needs are created
// beforehand.
type laneTelemetry struct {
	core            *core
	signal          string
	logger          *zap.Logger // at most one line per minute for each message
	unsampled       *zap.Logger // for lines with a bounded rate of their own
	deadLetterLines deadLetterLines
	tb              *metadata.TelemetryBuilder
	common          []attribute.KeyValue
	attrs           metric.MeasurementOption
	tally           itemTally
	counters        selfcount.Group
	received        *selfcount.Counter
	direct          *selfcount.Counter // delivered
	replayed        *selfcount.Counter // delivered

	// sent and lost are the counters that every exporter of the Collector has. Their only attribute is the exporter. Items in
	// the dead letter count in neither.
	sent         *selfcount.Counter
	lost         metric.Int64Counter
	exporterOnly metric.MeasurementOption
}

func newLaneTelemetry(c *core, set exporter.Settings, signal string) (*laneTelemetry, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	t := &laneTelemetry{core: c, signal: signal, logger: sampled.Logger(set.Logger), unsampled: set.Logger, tb: tb, common: []attribute.KeyValue{
		attribute.String("exporter", set.ID.String()), attribute.String("signal", signal),
	}}
	t.exporterOnly = metric.WithAttributeSet(attribute.NewSet(t.common[0]))
	var sent metric.Int64Counter
	switch signal {
	case traces.name:
		sent, t.lost = tb.ExporterSentSpans, tb.ExporterSendFailedSpans
	case metrics.name:
		sent, t.lost = tb.ExporterSentMetricPoints, tb.ExporterSendFailedMetricPoints
	default:
		sent, t.lost = tb.ExporterSentLogRecords, tb.ExporterSendFailedLogRecords
	}
	t.attrs = t.with()
	t.sent = t.counters.Counter(sent, t.exporterOnly)
	t.received = t.counters.Counter(tb.ExporterFallbacklogReceivedItems, t.attrs)
	t.direct = t.counters.Counter(tb.ExporterFallbacklogDeliveredItems, t.with(attribute.String("path", "direct")))
	t.replayed = t.counters.Counter(tb.ExporterFallbacklogDeliveredItems, t.with(attribute.String("path", "replayed")))
	fromzero.Options(sent, t.exporterOnly)
	t.fromZero()
	return t, nil
}

// fromZero creates the counters of lost data with the value 0.
func (t *laneTelemetry) fromZero() {
	fromzero.Plain(t.lost, t.common[0])
	for _, c := range []metric.Int64Counter{
		t.tb.ExporterFallbacklogRejectedItems, t.tb.ExporterFallbacklogExpiredItems, t.tb.ExporterFallbacklogLateItems,
		t.tb.ExporterFallbacklogCorruptBytes,
	} {
		fromzero.Plain(c, t.common...)
	}
	fromzero.Counter(t.tb.ExporterFallbacklogDroppedItems, "reason", append(fromzero.Strings(delivery.Drops), droppedByDeadLetter), t.common...)
	fromzero.Counter(t.tb.ExporterFallbacklogDamage, "kind", fromzero.Strings(segment.DamageKinds), t.common...)
	fromzero.Counter(t.tb.ExporterFallbacklogDeadLetterItems, "reason", fromzero.Strings(delivery.DeadLetterReasons), t.common...)
}

func (t *laneTelemetry) with(more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(more, t.common...)...))
}

// observe registers the gauges of a lane. Their callbacks also report the counters.
func (t *laneTelemetry) observe(l *lane) error {
	log := l.log
	return errors.Join(
		t.tb.RegisterExporterFallbacklogLogDegradedCallback(func(_ context.Context, o metric.Int64Observer) error {
			t.counters.Report()
			degraded := int64(0)
			if l.LogCondition() != nil || l.stalled() {
				degraded = 1
			}
			o.Observe(degraded, t.attrs)
			return nil
		}),
		t.tb.RegisterExporterFallbacklogBytesOnDiskCallback(func(_ context.Context, o metric.Int64Observer) error {
			t.counters.Report()
			o.Observe(log.Stats().Bytes, t.attrs)
			return nil
		}),
		t.tb.RegisterExporterFallbacklogSegmentsCallback(func(_ context.Context, o metric.Int64Observer) error {
			t.counters.Report()
			o.Observe(int64(log.Stats().Segments), t.attrs)
			return nil
		}),
		t.tb.RegisterExporterFallbacklogDeadLetterBytesCallback(func(_ context.Context, o metric.Int64Observer) error {
			t.counters.Report()
			if l.deadLetter != nil {
				o.Observe(l.deadLetter.Stats().Unread, t.attrs)
			}
			return nil
		}),
		t.tb.RegisterExporterFallbacklogOldestRecordAgeCallback(func(_ context.Context, o metric.Float64Observer) error {
			t.counters.Report()
			age := 0.0
			if oldest := log.Stats().Oldest; !oldest.IsZero() {
				age = max(0, t.core.now().Sub(oldest).Seconds())
			}
			o.Observe(age, t.attrs)
			return nil
		}),
	)
}

func (t *laneTelemetry) shutdown() {
	t.logDeadLettered(t.deadLetterLines.remaining(t.core.now()))
	t.counters.Close()
	t.tb.Shutdown()
}

func (t *laneTelemetry) Received(items int) { t.received.Add(int64(items)) }

func (t *laneTelemetry) DeliveredDirect(items int) { t.delivered(items, t.direct) }

func (t *laneTelemetry) DeliveredReplayed(items int) { t.delivered(items, t.replayed) }

func (t *laneTelemetry) delivered(items int, c *selfcount.Counter) {
	c.Add(int64(items))
	t.sent.Add(int64(items))
	t.counters.EndBatch()
}

func (t *laneTelemetry) Logged(reason delivery.Reason, items, size int) {
	t.tally.logged.Add(int64(items))
	ctx := context.Background()
	t.tb.ExporterFallbacklogLoggedItems.Add(ctx, int64(items), t.with(attribute.String("reason", string(reason))))
	t.tb.ExporterFallbacklogLoggedBytes.Add(ctx, int64(size), t.attrs)
}

func (t *laneTelemetry) DeadLettered(reason delivery.Reason, items int, cause error) {
	t.tally.deadLettered.Add(int64(items))
	t.tb.ExporterFallbacklogDeadLetterItems.Add(context.Background(), int64(items), t.with(attribute.String("reason", string(reason))))
	t.logDeadLettered(t.deadLetterLines.add(t.core.now(), reason, items, cause))
}

func (t *laneTelemetry) Dropped(reason delivery.Drop, items int) {
	t.tally.dropped.Add(int64(items))
	t.tb.ExporterFallbacklogDroppedItems.Add(context.Background(), int64(items), t.with(attribute.String("reason", string(reason))))
	t.lost.Add(context.Background(), int64(items), t.exporterOnly)
}

func (t *laneTelemetry) Rejected(items int) {
	t.tally.rejected.Add(int64(items))
	t.tb.ExporterFallbacklogRejectedItems.Add(context.Background(), int64(items), t.attrs)
}

func (t *laneTelemetry) Expired(items int) {
	t.tally.expired.Add(int64(items))
	t.tb.ExporterFallbacklogExpiredItems.Add(context.Background(), int64(items), t.attrs)
	t.lost.Add(context.Background(), int64(items), t.exporterOnly)
}

func (t *laneTelemetry) Late(items int) {
	t.tally.late.Add(int64(items))
	t.tb.ExporterFallbacklogLateItems.Add(context.Background(), int64(items), t.attrs)
}

func (t *laneTelemetry) ReplayFailed() {
	t.tb.ExporterFallbacklogReplayFailures.Add(context.Background(), 1, t.attrs)
}

func (t *laneTelemetry) Failed(c failure.Class) {
	t.tb.ExporterFallbacklogErrors.Add(context.Background(), 1, t.with(attribute.String(errorType, string(c))))
}

func (t *laneTelemetry) Exported(took time.Duration) {
	ctx := context.Background()
	t.tb.ExporterFallbacklogExportLatency.Record(ctx, took.Seconds(), t.attrs)
	t.tb.ExporterFallbacklogExportDuration.Record(ctx, took.Seconds(), t.attrs)
}

func (t *laneTelemetry) synced(took time.Duration, err error) {
	t.tb.ExporterFallbacklogFsyncDuration.Record(context.Background(), took.Seconds(), t.attrs)
	if err != nil {
		t.Failed(failure.Fsync)
	}
}

// damaged counts and logs damage of a log. It logs at most one line per minute for each kind.
func (t *laneTelemetry) damaged(d segment.Damage) {
	ctx := context.Background()
	t.tb.ExporterFallbacklogCorruptBytes.Add(ctx, d.Bytes, t.attrs)
	t.tb.ExporterFallbacklogDamage.Add(ctx, 1, t.with(attribute.String("kind", string(d.Kind))))
	t.logger.Error(damageMessages[d.Kind], zap.String(errorType, string(failure.Log)),
		zap.String("path", d.Path), zap.Int64("offset", d.Start), zap.Int64("bytes", d.Bytes))
}

// damageMessages describe the damage and what to do.
var damageMessages = map[segment.DamageKind]string{
	segment.Corrupt: "the local log has damaged bytes: their records are lost, a copy is in quarantine; check the disk, " +
		"`fallbacklog verify` lists all damage",
	segment.Emptied: "a segment of the local log is shorter than it was: its records are lost; check the disk, and which other process writes there",
	segment.Missing: "the segment that the cursor points to is missing: its unread records are lost, unless it is put back " +
		"before the next start",
	segment.Taken: "files of the local log were deleted or moved while it was in use: their unread records are lost, unless they " +
		"are put back before the next start",
}

// Warn logs, at most once per minute for each message.
func (t *laneTelemetry) Warn(c failure.Class, message string, err error) {
	t.logger.Warn(message, zap.String(errorType, string(c)), zap.Error(err))
}

// Error logs, at most once per minute for each message.
func (t *laneTelemetry) Error(c failure.Class, message string, err error) {
	t.logger.Error(message, zap.String(errorType, string(c)), zap.Error(err))
}
