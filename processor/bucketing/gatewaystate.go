package bucketing

import (
	"context"

	"go.opentelemetry.io/collector/component"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/internal/selfcount"
)

// Start implements component.Component. It publishes the processor's state on the gateway page.
func (b *bucketing) Start(_ context.Context, host component.Host) error {
	b.withdraw = gatewaystate.Find(host.GetExtensions()).Register(b)
	return nil
}

// GatewayState implements gatewaystate.Source.
func (b *bucketing) GatewayState() gatewaystate.State {
	t := b.telemetry
	n := gatewaystate.Buckets{Dropped: t.dropped.Total(), Repaired: t.repaired.Total(), Streams: t.streamCount()}
	for i := range t.points {
		for from := range t.points[i] {
			n.Converted += total(t.points[i][from][:])
		}
	}
	n.Passed = total(t.passed[:])
	for action := range t.violations {
		n.Violations += total(t.violations[action][:])
	}
	return gatewaystate.State{Component: b.id, Buckets: &n}
}

func total(counters []*selfcount.Counter) (n int64) {
	for _, c := range counters {
		n += c.Total()
	}
	return n
}
