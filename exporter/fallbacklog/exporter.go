package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// instance is the exporter of one signal.
type instance[T any] struct {
	signal  signal[T]
	set     exporter.Settings
	core    *core
	lane    *lane      // nil until Start
	wrapped wrapped[T] // its Component is nil if no exporter is wrapped
	once    sync.Once
	leave   func() error // releases the core; the last instance closes it
}

type (
	tracesExporter  struct{ *instance[ptrace.Traces] }
	metricsExporter struct{ *instance[pmetric.Metrics] }
	logsExporter    struct{ *instance[plog.Logs] }
)

func (e tracesExporter) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	return e.consume(ctx, td)
}

func (e metricsExporter) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	return e.consume(ctx, md)
}

func (e logsExporter) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	return e.consume(ctx, ld)
}

func newInstance[T any](cores *registry, set exporter.Settings, cfg *Config, s signal[T]) (*instance[T], error) {
	c, leave, err := cores.join(cfg, set)
	if err != nil {
		return nil, err
	}
	return &instance[T]{signal: s, set: set, core: c, leave: leave}, nil
}

// Capabilities returns that the exporter does not change data: a batch may be needed after an attempt.
func (i *instance[T]) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start opens the log, starts the wrapped exporter and begins to replay.
func (i *instance[T]) Start(ctx context.Context, host component.Host) error {
	if err := i.core.open(); err != nil {
		return err
	}
	if err := i.startWrapped(ctx, host); err != nil {
		return fmt.Errorf("exporter: %w", err)
	}
	i.core.attach(i, host)
	l, err := newLane(i.core, i.set, i.signal.name, i.decode)
	if err != nil {
		i.core.detach(i)
		return errors.Join(err, i.stopWrapped(ctx))
	}
	i.lane = l
	i.core.publish(gatewaystate.Find(host.GetExtensions()), i.signal.name, l)
	if q := i.core.cfg.Queue; q.HasValue() && !q.Get().WaitForResult {
		i.set.Logger.Warn("sending_queue is on: what is queued is acknowledged before it is delivered or durable, and a crash loses it")
	}
	return nil
}

// Shutdown sends the batches in flight to the log and deletes nothing. It is safe if Start failed or never ran. The instances
// of a component share the time shutdown.Exporter, whatever the wrapped exporter does.
func (i *instance[T]) Shutdown(ctx context.Context) error {
	var err error
	i.once.Do(func() {
		ctx, done := i.core.shutdownTime(ctx)
		defer done()
		if i.lane != nil {
			i.core.withdraw()
			err = i.lane.shutdown(ctx)
			i.core.detach(i)
			err = errors.Join(err, i.stopWrapped(ctx))
		}
		err = errors.Join(err, i.leave())
	})
	return err
}

func (i *instance[T]) consume(ctx context.Context, data T) error {
	if i.lane == nil {
		return errNotStarted
	}
	b := batch[T]{instance: i, data: data}
	if len(i.core.cfg.MetadataKeys) > 0 {
		b.callerMetadata = client.FromContext(ctx).Metadata
	}
	return i.lane.consume(ctx, b)
}

// decode is the inverse of batch.Payload, for records with the same metadata.
func (i *instance[T]) decode(records [][]byte) (delivery.Batch, error) {
	b := batch[T]{instance: i}
	for n, rec := range records {
		codec := i.core.reader.CodecOf(rec)
		meta, payload, err := codec.Split(rec)
		if err != nil {
			return nil, err
		}
		data, err := i.signal.wire(codec.Encoding()).unmarshal(payload)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			i.signal.move(data, b.data)
			continue
		}
		b.data, b.storedMetadata = data, meta.Metadata
	}
	return b, nil
}
