package metricsudp

import (
	"context"
	"net"

	"go.opentelemetry.io/collector/client"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// The values of origin. Where it is not set, other keys say what it is.
const (
	originNone      = "none"
	originIP        = "ip"
	originContainer = "container"
)

// origin is what keeps series apart: what the key says, or else the statsd receiver's
// keys, or else the default.
func (c *Config) origin() series.OriginMode {
	_, says := c.originKey()
	switch {
	case c.Origin != "":
		says = c.Origin
	case says == "" && c.Compatibility == compatibilityStatsd:
		says = originIP // with the port, there
	}
	switch says {
	case originIP:
		return series.OriginIP
	case originContainer:
		return series.OriginContainer
	}
	return series.OriginNone
}

// originKey is the key of the statsd receiver that says what the origin is: of both,
// the one that has precedence there.
func (c *Config) originKey() (key, says string) {
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
	if key, says := c.originKey(); key != "" {
		e.That(c.Origin == says, "origin", says+" or left out, as "+key+" is true", c.Origin)
	}
}

// clientContext tells the pipeline which client a batch is from, as a receiver does
// that hands on each request by itself.
func clientContext(ctx context.Context, from *series.Origin) context.Context {
	if !from.Addr.IsValid() {
		return ctx
	}
	return client.NewContext(ctx, client.Info{Addr: &net.IPAddr{IP: from.Addr.AsSlice()}})
}
