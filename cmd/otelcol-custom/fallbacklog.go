package main

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog"
)

// init shows the fallbacklog exporter which exporters this binary has, so that `validate` finds a
// mistake in a wrapped one as well; without it the mistake is found at start.
func init() {
	fallbacklog.RegisterFactories(func() (map[component.Type]exporter.Factory, error) {
		all, err := components()
		return all.Exporters, err
	})
}
