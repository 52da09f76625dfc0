package metricsudp

import (
	"context"
	"math"
	"net"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/fromzero"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/stream"
)

// reporter records the readers' counts as telemetry once per flush, and logs at most one line of a kind per minute.
type reporter struct {
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	receiver  metric.MeasurementOption
	kinds     [line.Kinds]metric.MeasurementOption
	reasons   [line.Reasons]metric.MeasurementOption
	formats   [line.Formats]metric.MeasurementOption
	ends      [stream.Ends]metric.MeasurementOption
	now       func() time.Time
	published publishedTotals

	openConnections    func() int    // nil without a stream transport
	resetDroppedEvents func() uint64 // nil without a logs pipeline

	mu     sync.Mutex
	logged map[string]time.Time // last time of each message
}

// logEvery is the minimum time between two log lines of a kind.
const logEvery = time.Minute

func newReporter(set receiver.Settings) (*reporter, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	id := attribute.String("receiver", set.ID.String())
	r := &reporter{
		telemetry: telemetry, logger: set.Logger, now: time.Now, logged: map[string]time.Time{},
		receiver: metric.WithAttributeSet(attribute.NewSet(id)),
	}
	for kind := range line.Kinds {
		r.kinds[kind] = metric.WithAttributeSet(attribute.NewSet(id, attribute.String("type", kind.String())))
	}
	for reason := range line.Reasons {
		r.reasons[reason] = metric.WithAttributeSet(attribute.NewSet(id, attribute.String("reason", reason.String())))
	}
	for format := range line.Formats {
		r.formats[format] = metric.WithAttributeSet(attribute.NewSet(id, attribute.String("format", format.String())))
	}
	for end := range stream.Ends {
		r.ends[end] = metric.WithAttributeSet(attribute.NewSet(id, attribute.String("reason", end.String())))
	}
	fromzero.Options(telemetry.ReceiverMetricsudpRejectedLines, r.reasons[line.OK+1:]...)
	return r, nil
}

func (r *reporter) flush(f *flush.Report) {
	ctx, t, s := context.Background(), r.telemetry, &f.Stats
	r.published.add(f)
	t.ReceiverMetricsudpDatagrams.Add(ctx, int64(s.Datagrams), r.receiver)
	t.ReceiverMetricsudpBytes.Add(ctx, int64(s.Bytes), r.receiver)
	t.ReceiverMetricsudpDeniedDatagrams.Add(ctx, int64(s.Denied), r.receiver)
	t.ReceiverMetricsudpTruncatedDatagrams.Add(ctx, int64(s.Truncated), r.receiver)
	t.ReceiverMetricsudpOverflowedSamples.Add(ctx, int64(s.Overflowed), r.receiver)
	t.ReceiverMetricsudpDuplicateTags.Add(ctx, int64(s.DuplicateTags), r.receiver)
	t.ReceiverMetricsudpCleanedLines.Add(ctx, int64(s.CleanedLines), r.receiver)
	t.ReceiverMetricsudpBufferDroppedPoints.Add(ctx, int64(s.DroppedPoints), r.receiver)
	t.ReceiverMetricsudpKernelDrops.Add(ctx, int64(f.KernelDrops), r.receiver)
	for kind, n := range s.Lines {
		if n > 0 {
			t.ReceiverMetricsudpLines.Add(ctx, int64(n), r.kinds[kind])
		}
	}
	for reason, n := range s.Rejected {
		if n > 0 {
			t.ReceiverMetricsudpRejectedLines.Add(ctx, int64(n), r.reasons[reason])
		}
	}
	for format, n := range s.NamesWithTags {
		if n > 0 {
			t.ReceiverMetricsudpNamesWithTags.Add(ctx, int64(n), r.formats[format])
		}
	}
	t.ReceiverMetricsudpSeries.Record(ctx, int64(f.Series), r.receiver)
	t.ReceiverMetricsudpAliases.Record(ctx, int64(f.Aliases), r.receiver)
	t.ReceiverMetricsudpFlushDuration.Record(ctx, f.Duration.Seconds(), r.receiver)
	if f.BufferBytes > 0 {
		t.ReceiverMetricsudpReceiveBufferBytes.Record(ctx, int64(f.BufferBytes), r.receiver)
	}
	if r.resetDroppedEvents != nil {
		t.ReceiverMetricsudpDroppedEvents.Add(ctx, int64(r.resetDroppedEvents()), r.receiver)
	}
	if r.openConnections != nil {
		t.ReceiverMetricsudpConnections.Record(ctx, int64(r.openConnections()), r.receiver)
	}
	for _, e := range f.Examples {
		if r.due(e.Reason.String()) {
			r.logger.Warn("Refused lines", refusal(e)...)
		}
	}
	for _, n := range f.Suspects {
		if r.due("names with " + n.Format.String() + " tags") {
			r.logger.Warn("Names seem to contain tags: add their format to tag_formats",
				zap.Stringer("format", n.Format), zap.String("example", n.Name))
		}
	}
	for _, err := range f.Errors {
		r.socketError(err)
	}
}

// refusal returns the log fields of a rejected line. If a configuration key would accept such lines, a field names that key.
func refusal(e flush.Example) []zap.Field {
	fields := []zap.Field{zap.Stringer("reason", e.Reason), zap.String("example", e.Text)}
	if e.Reason == line.NegativeCounter {
		name, _, _ := strings.Cut(e.Text, ":")
		fields = append(fields, zap.String("metric", strings.TrimSpace(name)),
			zap.String("accepted_with", "counters::non_monotonic or is_monotonic_counter: false"))
	}
	return fields
}

func (r *reporter) socketError(err error) {
	if r.due("socket") {
		r.logger.Error("Socket failed", zap.Error(err))
	}
}

// connectionEnded counts a connection that ended or was refused. Any goroutine may call it.
func (r *reporter) connectionEnded(end stream.End, peer net.Addr, err error) {
	r.telemetry.ReceiverMetricsudpEndedConnections.Add(context.Background(), 1, r.ends[end])
	if end.IsFault() && r.due("connection "+end.String()) {
		r.logger.Warn("Ended a connection", zap.Stringer("reason", end), zap.Stringer("peer", peer), zap.Error(err))
	}
}

// connectionWaited counts a connection that waits for another to end. Any goroutine may call it.
func (r *reporter) connectionWaited(maxConnections int) {
	r.telemetry.ReceiverMetricsudpConnectionWaits.Add(context.Background(), 1, r.receiver)
	if r.due("connection waits") {
		r.logger.Warn("Connections wait until another one ends, because max_connections are open",
			zap.Int("max_connections", maxConnections))
	}
}

// refused logs that a pipeline refused a batch of points or records.
func (r *reporter) refused(items string, n int, err error) {
	if r.due("refused " + items) {
		r.logger.Warn("The pipeline refused a batch", zap.Int(items, n), zap.Error(err))
	}
}

// effectiveBuffer returns the size of the smallest receive buffer of the sockets, or 0 if it is unknown. It logs a warning if the
// size is smaller than requested.
func (r *reporter) effectiveBuffer(conns []*socket.Conn, requested int) int {
	smallest := math.MaxInt
	for _, conn := range conns {
		stats, err := conn.Stats()
		if err != nil {
			r.socketError(err)
		}
		smallest = min(smallest, stats.BufferBytes)
	}
	if smallest > 0 && smallest < requested {
		r.logger.Warn("The receive buffer is smaller than socket_buffer_size: raise net.core.rmem_max, or grant CAP_NET_ADMIN",
			zap.Int("asked_bytes", requested), zap.Int("effective_bytes", smallest))
	}
	return smallest
}

// due reports whether a message may be logged again.
func (r *reporter) due(message string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if last, ok := r.logged[message]; ok && now.Sub(last) < logEvery {
		return false
	}
	r.logged[message] = now
	return true
}

func (r *reporter) shutdown() { r.telemetry.Shutdown() }
