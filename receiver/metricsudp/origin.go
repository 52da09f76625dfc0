package metricsudp

import (
	"context"
	"net"

	"go.opentelemetry.io/collector/client"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// The values of origin.
const (
	originNone      = "none"
	originIP        = "ip"
	originContainer = "container"
)

// origin returns the property of senders by which series are separated. The key origin determines it. Without that key the keys of
// the statsd receiver do, and without them the default.
func (c *Config) origin() series.OriginMode {
	_, origin := c.originKey()
	switch {
	case c.Origin != "":
		origin = c.Origin
	case origin == "" && c.Compatibility == compatibilityStatsd:
		origin = originIP // contrib's receiver separates by address and port
	}
	switch origin {
	case originIP:
		return series.OriginIP
	case originContainer:
		return series.OriginContainer
	}
	return series.OriginNone
}

// originKey returns the key of contrib's statsd receiver that is set, and the origin that it stands for. If both keys are set,
// ignore_host has precedence, as in that receiver.
func (c *Config) originKey() (key, origin string) {
	switch {
	case c.IgnoreHost:
		return "ignore_host", originNone
	case c.IPOnlyAggregation:
		return "enable_ip_only_aggregation", originIP
	}
	return "", ""
}

func (c *Config) checkOrigin(e *check.Errors) {
	if c.Origin == "" {
		return
	}
	check.OneOf(e, "origin", c.Origin, originNone, originIP, originContainer)
	if key, origin := c.originKey(); key != "" {
		e.That(c.Origin == origin, "origin", origin+" or left out, as "+key+" is true", c.Origin)
	}
}

// clientContext adds the sender's address to the context, as receivers that pass on single requests do.
func clientContext(ctx context.Context, from *series.Origin) context.Context {
	if !from.Addr.IsValid() {
		return ctx
	}
	return client.NewContext(ctx, client.Info{Addr: &net.IPAddr{IP: from.Addr.AsSlice()}})
}
