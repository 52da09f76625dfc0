package bucketing

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// tally has the counts of the processor's metrics, for the gateway page.
type tally struct {
	converted, passed, dropped, repaired, violations atomic.Int64
}

// start publishes the processor's state on the gateway page.
func (b *bucketing) start(_ context.Context, host component.Host) error {
	b.withdraw = gatewaystate.Find(host.GetExtensions()).Register(b)
	return nil
}

// GatewayState implements gatewaystate.Source.
func (b *bucketing) GatewayState() gatewaystate.State {
	n := &b.telemetry.tally
	return gatewaystate.State{Component: b.id, Buckets: &gatewaystate.Buckets{
		Converted: n.converted.Load(), Passed: n.passed.Load(), Dropped: n.dropped.Load(), Repaired: n.repaired.Load(),
		Violations: n.violations.Load(), Streams: b.telemetry.reportedStreams.Load(),
	}}
}
