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

// Instances behind exporterhelper's queue. What is queued is acknowledged before it is durable, so there is none unless
// it is asked for, and then nothing of exporterhelper's is in a batch's way.
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

// queueSettings are the exporter's, except for the counters that it has itself.
func (i *instance[T]) queueSettings() exporter.Settings {
	set := i.set
	set.MeterProvider = queueMeters{set.MeterProvider}
	return set
}

// queueOptions: the time of an attempt and its repetition are ours.
func (i *instance[T]) queueOptions() []exporterhelper.Option {
	return []exporterhelper.Option{
		exporterhelper.WithQueue(i.core.cfg.Queue), exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}),
		exporterhelper.WithCapabilities(i.Capabilities()), exporterhelper.WithStart(i.Start), exporterhelper.WithShutdown(i.Shutdown),
	}
}

// stopQueue returns the Shutdown of an instance behind a queue, which helper shuts down before the instance: what is
// queued is attempted as at any Shutdown, and goes to the log. Half of the time is the queue's. A wrapped exporter that
// ignores its context does not give it back, and then what is queued is lost, as by a crash.
func (i *instance[T]) stopQueue(helper component.Component) component.ShutdownFunc {
	return func(ctx context.Context) error {
		if i.lane != nil {
			i.lane.Drain()
		}
		limited, done := i.core.shutdownTime(ctx)
		deadline, _ := limited.Deadline()
		patience, cancel := context.WithTimeout(limited, deadline.Sub(i.core.now())/2)
		defer cancel()
		stopped := make(chan error, 1)
		go func() { stopped <- helper.Shutdown(ctx) }()
		select {
		case err := <-stopped:
			done()
			return err
		case <-patience.Done():
			done()
			return errors.Join(fmt.Errorf("%w: what is in the sending queue is lost", delivery.ErrAbandoned), i.Shutdown(ctx))
		}
	}
}

func (c *Config) validateQueue(e *check.Errors) {
	if !c.Queue.HasValue() {
		return
	}
	q := c.Queue.Get()
	if q.StorageID != nil {
		e.That(false, "storage", "absent: what has to survive a restart is in the log", q.StorageID)
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
