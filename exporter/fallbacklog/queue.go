package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// These are instances behind exporterhelper's queue. The queue acknowledges batches before they are durable, so it exists only
// if it is configured. Otherwise batches do not pass through exporterhelper.
type (
	queuedTraces struct {
		exporter.Traces
		stop component.ShutdownFunc
	}
	queuedMetrics struct {
		exporter.Metrics
		stop component.ShutdownFunc
	}
	queuedLogs struct {
		exporter.Logs
		stop component.ShutdownFunc
	}
)

func (q queuedTraces) Shutdown(ctx context.Context) error  { return q.stop(ctx) }
func (q queuedMetrics) Shutdown(ctx context.Context) error { return q.stop(ctx) }
func (q queuedLogs) Shutdown(ctx context.Context) error    { return q.stop(ctx) }

func queueTraces(ctx context.Context, i *instance[ptrace.Traces]) (exporter.Traces, error) {
	e, err := exporterhelper.NewTraces(ctx, i.queueSettings(), i.core.cfg, i.consume, i.queueOptions()...)
	return queuedTraces{e, i.stopQueue(e)}, err
}

func queueMetrics(ctx context.Context, i *instance[pmetric.Metrics]) (exporter.Metrics, error) {
	e, err := exporterhelper.NewMetrics(ctx, i.queueSettings(), i.core.cfg, i.consume, i.queueOptions()...)
	return queuedMetrics{e, i.stopQueue(e)}, err
}

func queueLogs(ctx context.Context, i *instance[plog.Logs]) (exporter.Logs, error) {
	e, err := exporterhelper.NewLogs(ctx, i.queueSettings(), i.core.cfg, i.consume, i.queueOptions()...)
	return queuedLogs{e, i.stopQueue(e)}, err
}

// queueSettings returns the exporter's settings without the counters that the exporter has itself.
func (i *instance[T]) queueSettings() exporter.Settings {
	set := i.set
	set.MeterProvider = queueMeters{set.MeterProvider}
	return set
}

// queueOptions configure the queue without a timeout and without retries, which the exporter does itself.
func (i *instance[T]) queueOptions() []exporterhelper.Option {
	return []exporterhelper.Option{
		exporterhelper.WithQueue(i.core.cfg.Queue), exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}),
		exporterhelper.WithCapabilities(i.Capabilities()), exporterhelper.WithStart(i.Start), exporterhelper.WithShutdown(i.Shutdown),
	}
}

// stopQueue returns the Shutdown of an instance behind a queue. helper drains the queue before it shuts the instance down:
// queued batches go to the log, as in any Shutdown. The queue has half of the time. If the wrapped exporter ignores its context
// the queue cannot be drained, and its content is lost, as in a crash.
func (i *instance[T]) stopQueue(helper component.Component) component.ShutdownFunc {
	return func(ctx context.Context) error {
		if i.lane != nil {
			i.lane.BeginShutdown()
		}
		limited, done := i.core.shutdownTime(ctx)
		deadline, _ := limited.Deadline()
		maxWait, cancel := context.WithTimeout(limited, deadline.Sub(i.core.now())/2)
		defer cancel()
		stopped := make(chan error, 1)
		go func() { stopped <- helper.Shutdown(ctx) }()
		select {
		case err := <-stopped:
			done()
			return err
		case <-maxWait.Done():
			done()
			return errors.Join(fmt.Errorf("%w: the batches in the sending queue are lost", delivery.ErrAbandoned), i.Shutdown(ctx))
		}
	}
}

func (c *Config) validateQueue(e *check.Errors) {
	if !c.Queue.HasValue() {
		return
	}
	q := c.Queue.Get()
	if q.StorageID != nil {
		e.That(false, "storage", "absent: the log keeps the data over a restart", q.StorageID)
	}
	if c.Replay.Enabled && c.Replay.Order == OrderStrict {
		e.That(q.NumConsumers == 1, "num_consumers", "1 with replay::order strict: more consumers change the order", q.NumConsumers)
	}
	if q.Batch.HasValue() {
		for _, key := range c.MetadataKeys {
			apart := slices.ContainsFunc(q.Batch.Get().Partition.MetadataKeys, func(k string) bool { return strings.EqualFold(k, key) })
			e.That(apart, "batch::partition::metadata_keys", "all of metadata_keys, or batches of different clients become one",
				q.Batch.Get().Partition.MetadataKeys)
		}
	}
}
