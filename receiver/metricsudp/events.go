package metricsudp

import (
	"context"
	"net/netip"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/event"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// events is the part of the receiver that serves a logs pipeline.
type events struct {
	queue  *event.Queue
	sender *event.Sender
}

// newEvents returns nil without a logs pipeline.
func (r *udpReceiver) newEvents(resource pcommon.Resource, origin series.OriginMode) *events {
	if r.nextLogs == nil {
		return nil
	}
	queue := event.NewQueue(r.cfg.BufferSize)
	consume := logsConsumer{r.nextLogs, r.obs, r.report}
	return &events{queue: queue, sender: event.NewSender(event.Options{
		Queue: queue,
		Builder: &event.Builder{
			Resource: resource, ScopeName: metadata.ScopeName, ScopeVersion: r.set.BuildInfo.Version, Origin: origin,
		},
		Consume:      consume.offer,
		Retryable:    func(err error) bool { return !consumererror.IsPermanent(err) },
		Mutates:      r.nextLogs.Capabilities().MutatesData,
		AbandonAfter: flush.AbandonAfter,
	})}
}

// add returns the function that adds an event to the queue. It returns nil without a logs pipeline: then events are only counted.
func (e *events) add() func(line.Kind, []byte, netip.Addr) {
	if e == nil {
		return nil
	}
	return e.queue.Add
}

func (e *events) start(report *reporter) {
	if e == nil {
		return
	}
	report.resetDroppedEvents = e.queue.ResetDropped
	go e.sender.Run() // wait waits for its end
}

// close ends the sender after the last event. No reader may add an event after it.
func (e *events) close() {
	if e != nil {
		e.sender.Close()
	}
}

// wait returns when the pipeline has accepted all events in the queue, or ctx is done.
func (e *events) wait(ctx context.Context) error {
	if e == nil {
		return nil
	}
	return e.sender.Wait(ctx)
}

// logsConsumer offers batches of log records to the pipeline.
type logsConsumer struct {
	next   consumer.Logs
	obs    *receiverhelper.ObsReport
	report *reporter
}

// offer offers a batch to the pipeline. It counts a batch as refused only at its first attempt, and as accepted when the pipeline
// accepts it.
func (c *logsConsumer) offer(ctx context.Context, logs plog.Logs, attempt int) error {
	records := logs.LogRecordCount() // must be counted before the consumer owns the batch
	ctx = c.obs.StartLogsOp(ctx)
	err := c.next.ConsumeLogs(ctx, logs)
	if err != nil {
		c.report.refused("records", records, err)
		if attempt > 1 {
			records = 0
		}
	}
	c.obs.EndLogsOp(ctx, metadata.Type.String(), records, err)
	return err
}
