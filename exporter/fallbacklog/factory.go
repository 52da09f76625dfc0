package fallbacklog

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/metadata"
)

// NewFactory returns the exporter's factory. The Collector creates one instance per signal of a configured component. The
// instances share a core, which NewFactory keeps.
func NewFactory() exporter.Factory {
	cores := newRegistry()
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithTraces(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
			i, err := newInstance(cores, set, cfg.(*Config), traces)
			if err == nil && i.core.cfg.Queue.HasValue() {
				return queueTraces(ctx, i)
			}
			return tracesExporter{i}, err
		}, metadata.TracesStability),
		exporter.WithMetrics(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			i, err := newInstance(cores, set, cfg.(*Config), metrics)
			if err == nil && i.core.cfg.Queue.HasValue() {
				return queueMetrics(ctx, i)
			}
			return metricsExporter{i}, err
		}, metadata.MetricsStability),
		exporter.WithLogs(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
			i, err := newInstance(cores, set, cfg.(*Config), logs)
			if err == nil && i.core.cfg.Queue.HasValue() {
				return queueLogs(ctx, i)
			}
			return logsExporter{i}, err
		}, metadata.LogsStability),
	)
}
