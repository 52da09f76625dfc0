package main

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog"
)

// init passes the exporters of this binary to the fallbacklog exporter, so that `validate` also finds errors in the
// configuration of a wrapped exporter. Without it they would be found at start only.
func init() {
	fallbacklog.RegisterFactories(func() (map[component.Type]exporter.Factory, error) {
		all, err := components()
		return all.Exporters, err
	})
}
