package fallbacklog

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

// startSink makes and starts the wrapped exporter, where there is one.
func (i *instance[T]) startSink(ctx context.Context, host component.Host) error {
	spec := i.core.cfg.Exporter.spec
	if spec == nil {
		return nil
	}
	factory := nestedFactory(host, spec.ID.Type())
	if factory == nil {
		return fmt.Errorf("%w (got %s)", errUnknownExporter, spec.ID.Type())
	}
	cfg, err := spec.Config(factory, i.core.cfg.Timeout)
	if err != nil {
		return err
	}
	heard := listen(cfg)
	if !spec.Synchronous(factory) {
		i.set.Logger.Warn("this exporter is not known to wait for its downstream: what it acknowledges early is out of reach",
			zap.Stringer("nested", spec.ID))
	}
	s, err := i.signal.create(ctx, factory, nestedSettings(i.set, *spec), cfg)
	if err != nil {
		return err
	}
	s.heard = heard
	if err := s.Start(ctx, nestedHost{host, answers{now: i.core.now}}); err != nil {
		return errors.Join(err, s.Shutdown(ctx))
	}
	i.sink = s
	return nil
}

// stopSink waits for the wrapped exporter's Shutdown for as long as ctx lets it.
func (i *instance[T]) stopSink(ctx context.Context) error {
	if i.sink.Component == nil {
		return nil
	}
	stopped := make(chan error, 1)
	go func() { stopped <- i.sink.Shutdown(ctx) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: it was left in its Shutdown", delivery.ErrAbandoned)
	}
}
