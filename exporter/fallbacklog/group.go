package fallbacklog

import (
	"go.opentelemetry.io/collector/consumer/consumererror"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

// newGroup returns the group of a component: it translates the configuration and connects the callbacks.
func (c *core) newGroup() *delivery.Group {
	cfg := c.cfg
	policies := map[OnFull]delivery.OnFull{
		OnFullReject: delivery.Reject, OnFullDropOldest: delivery.DropOldest, OnFullDropNewest: delivery.DropNewest,
	}
	return delivery.NewGroup(delivery.GroupOptions{
		Exports: cfg.Exporter.spec != nil, Timeout: cfg.Timeout, Budget: cfg.Budget,
		MaxAttempts: cfg.Retry.MaxAttempts, InitialInterval: cfg.Retry.InitialInterval,
		Multiplier: cfg.Retry.Multiplier, MaxInterval: cfg.Retry.MaxInterval,
		Replay:      cfg.Replay.Enabled,
		Concurrency: cfg.Replay.Concurrency, CoalesceBytes: cfg.Replay.CoalesceMiB * mib,
		ReplayPerSecond: cfg.Replay.MaxRequestsPerSecond, ReplayBytesPerSecond: cfg.Replay.MaxMiBPerSecond * mib,
		MaxItemAge:      cfg.Replay.MaxItemAge,
		MaxOpenInterval: cfg.Breaker.MaxOpenInterval, MaxAge: cfg.Log.MaxAge,
		OnFull:      policies[cfg.Log.OnFull],
		Permanent:   consumererror.IsPermanent,
		Now:         c.now,
		OutageBegan: c.outageBegan, OutageEnded: c.outageEnded, Troubled: c.troubled,
	}, c.breaker)
}
