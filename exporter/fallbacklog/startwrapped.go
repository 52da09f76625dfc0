package fallbacklog

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

// startWrapped creates and starts the wrapped exporter, if one is configured.
func (i *instance[T]) startWrapped(ctx context.Context, host component.Host) error {
	spec := i.core.cfg.Exporter.spec
	if spec == nil {
		return nil
	}
	factory := wrappedFactory(host, spec.ID.Type())
	if factory == nil {
		return fmt.Errorf("%w (got %s)", errUnknownExporter, spec.ID.Type())
	}
	cfg, err := spec.Config(factory, i.core.cfg.Timeout)
	if err != nil {
		return err
	}
	answersNoted := addAnswers(cfg)
	if !spec.Synchronous(factory) {
		i.set.Logger.Warn("this exporter is not known to wait for its downstream: data that it acknowledges early cannot be saved",
			zap.Stringer("nested", spec.ID))
	}
	s, err := i.signal.create(ctx, factory, wrappedSettings(i.set, *spec), cfg)
	if err != nil {
		return err
	}
	s.answersNoted = answersNoted
	if err := s.Start(ctx, wrappedHost{host, answers{now: i.core.now}}); err != nil {
		return errors.Join(err, s.Shutdown(ctx))
	}
	i.wrapped = s
	return nil
}

// stopWrapped shuts the wrapped exporter down and waits until ctx ends.
func (i *instance[T]) stopWrapped(ctx context.Context) error {
	if i.wrapped.Component == nil {
		return nil
	}
	stopped := make(chan error, 1)
	go func() { stopped <- i.wrapped.Shutdown(ctx) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: it was left in its Shutdown", delivery.ErrAbandoned)
	}
}
