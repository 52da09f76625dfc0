package fallbacklog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/metadata"
)

// Factories returns the exporter factories compiled into the binary.
type Factories func() (map[component.Type]exporter.Factory, error)

var registered atomic.Pointer[Factories]

// RegisterFactories lets Config.Validate, which the Collector's `validate` command runs, validate the wrapped exporter's
// settings, and lets `print-config` hide its secrets. The distribution's package main calls it in an init function. Without it
// only Start finds mistakes in these settings.
func RegisterFactories(f Factories) { registered.Store(&f) }

var (
	errUnknownExporter = errors.New("must be an exporter that is compiled in")
	errItself          = errors.New("must be another exporter")
)

// registeredFactory returns nil without an error if no factories are registered.
func registeredFactory(t component.Type) (exporter.Factory, error) {
	source := registered.Load()
	if source == nil {
		return nil, nil
	}
	factories, err := (*source)()
	if err != nil {
		return nil, err
	}
	f, ok := factories[t]
	if !ok {
		names := make([]string, 0, len(factories))
		for known := range maps.Keys(factories) {
			if known != metadata.Type {
				names = append(names, known.String())
			}
		}
		slices.Sort(names)
		return nil, fmt.Errorf("%w: %s (got %s)", errUnknownExporter, strings.Join(names, ", "), t)
	}
	return f, nil
}

func (c *Config) validateExporter() error {
	if c.Exporter.spec == nil {
		return nil
	}
	t := c.Exporter.spec.ID.Type()
	if t == metadata.Type {
		return fmt.Errorf("%w (got %s)", errItself, t)
	}
	f, err := registeredFactory(t)
	if f == nil || err != nil {
		return err
	}
	_, err = c.Exporter.spec.Config(f, c.Timeout)
	return err
}
