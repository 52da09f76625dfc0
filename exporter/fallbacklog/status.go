package fallbacklog

import (
	"maps"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// attach makes an instance's host hear of the component's status, until detach, beginning with what is wrong already.
func (c *core) attach(instance any, host component.Host) {
	c.mu.Lock()
	c.hosts[instance] = host
	c.mu.Unlock()
	c.group.Tell(func(why error) {
		if why != nil {
			componentstatus.ReportStatus(host, event(why))
		}
	})
}

func (c *core) detach(instance any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.hosts, instance)
}

// report tells the hosts what is wrong with the component, or with nil that nothing is.
func (c *core) report(why error) {
	c.mu.Lock()
	hosts := slices.Collect(maps.Values(c.hosts))
	c.mu.Unlock()
	for _, h := range hosts {
		componentstatus.ReportStatus(h, event(why))
	}
}

func event(why error) *componentstatus.Event {
	if why == nil {
		return componentstatus.NewEvent(componentstatus.StatusOK)
	}
	return componentstatus.NewRecoverableErrorEvent(why)
}

// degraded notes that data falls back. With room in the log that is no error of the component.
func (c *core) degraded(cause error) {
	c.states.Warn("data goes to the local log", errorFields(cause, zap.String("directory", c.root))...)
	c.outage.begin(c.now(), c.group.Delivered())
}

func (c *core) healthy() {
	c.states.Info("data goes out again and the local log is drained")
	c.outage.end()
}

// troubled logs a change of what is wrong with a signal, and reports the component's status.
func (c *core) troubled(change delivery.Change) {
	signal, what := zap.String("signal", change.Signal), zap.Stringer("trouble", change.Trouble)
	switch logs := change.Trouble.OfLogs(); {
	case change.Err == nil && logs:
		c.states.Info("the local log works again", signal, what)
	case change.Err == nil:
		c.states.Info("the downstream accepts the signal again, or its records have their key", signal, what)
	case logs:
		c.states.Error("the local log is degraded", signal, what,
			zap.String(errorType, string(failure.Log)), zap.Error(change.Err), zap.String("directory", c.root))
	default:
		c.states.Error("a signal waits for somebody", append(errorFields(change.Err), signal, what)...)
	}
	if change.Turned {
		c.report(change.Component)
	}
}

// errorFields are the error and its class.
func errorFields(err error, more ...zap.Field) []zap.Field {
	class := failure.Of(err, consumererror.IsPermanent(err)).Class
	return append([]zap.Field{zap.String(errorType, string(class)), zap.Error(err)}, more...)
}
