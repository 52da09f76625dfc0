package fallbacklog

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/metadata"
)

// NewFactory returns the exporter's factory. The instances that the Collector makes of one configured component, one
// for each signal, share what NewFactory keeps for it.
func NewFactory() exporter.Factory {
	cores := newRegistry()
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithTraces(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
			i, err := newInstance(cores, set, cfg.(*Config), traces)
			return tracesExporter{i}, err
		}, metadata.TracesStability),
		exporter.WithMetrics(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			i, err := newInstance(cores, set, cfg.(*Config), metrics)
			return metricsExporter{i}, err
		}, metadata.MetricsStability),
		exporter.WithLogs(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
			i, err := newInstance(cores, set, cfg.(*Config), logs)
			return logsExporter{i}, err
		}, metadata.LogsStability),
	)
}
