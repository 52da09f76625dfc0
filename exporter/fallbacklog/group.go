package fallbacklog

import (
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

// newGroup translates the configuration for the delivery, and what the delivery has to say for the Collector.
func (c *core) newGroup() *delivery.Group {
	cfg := c.cfg
	policies := map[OnFull]delivery.OnFull{
		OnFullReject: delivery.Reject, OnFullDropOldest: delivery.DropOldest, OnFullDropNewest: delivery.DropNewest,
	}
	return delivery.NewGroup(delivery.Settings{
		Exports: cfg.Exporter.spec != nil, Timeout: cfg.Timeout, Budget: cfg.Budget,
		MaxAttempts: cfg.Retry.MaxAttempts, InitialInterval: cfg.Retry.InitialInterval,
		Multiplier: cfg.Retry.Multiplier, MaxInterval: cfg.Retry.MaxInterval,
		Replay: cfg.Replay.Enabled, Strict: cfg.Replay.Enabled && cfg.Replay.Order == OrderStrict,
		Concurrency: cfg.Replay.Concurrency, CoalesceBytes: cfg.Replay.CoalesceMiB * mib,
		ReplayPerSecond: cfg.Replay.MaxRequestsPerSecond, ReplayBytesPerSecond: cfg.Replay.MaxMiBPerSecond * mib,
		MaxItemAge:      cfg.Replay.MaxItemAge,
		MaxOpenInterval: cfg.Breaker.MaxOpenInterval, MaxAge: cfg.Log.MaxAge,
		OnFull:    policies[cfg.Log.OnFull],
		Permanent: consumererror.IsPermanent,
		Now:       c.now,
		Degraded: func(cause error) {
			c.logger.Warn("data goes to the local log", zap.Error(cause), zap.String("directory", c.root))
			c.report(componentstatus.NewRecoverableErrorEvent(cause))
		},
		Healthy: func() {
			c.logger.Info("data goes out again and the local log is drained")
			if !c.cramped.Load() {
				c.report(componentstatus.NewEvent(componentstatus.StatusOK))
			}
		},
	}, c.breaker)
}
