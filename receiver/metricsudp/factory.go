package metricsudp

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
)

// NewFactory returns the factory of the metricsudp receiver.
func NewFactory() receiver.Factory {
	all := &instances{byConfig: map[*Config]*instance{}}
	return receiver.NewFactory(metadata.Type, createDefaultConfig,
		receiver.WithMetrics(all.createMetrics, metadata.MetricsStability),
		receiver.WithLogs(all.createLogs, metadata.LogsStability))
}

func (all *instances) createMetrics(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics,
) (receiver.Metrics, error) {
	return all.connected(set, cfg.(*Config), func(r *udpReceiver) { r.next = next })
}

func (all *instances) createLogs(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs,
) (receiver.Logs, error) {
	return all.connected(set, cfg.(*Config), func(r *udpReceiver) { r.nextLogs = next })
}
