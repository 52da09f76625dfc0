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
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/health"
)

// attach reports the component's status to an instance's host until detach. It begins with the present troubles.
func (c *core) attach(instance any, host component.Host) {
	c.mu.Lock()
	c.hosts[instance] = host
	c.mu.Unlock()
	c.group.ReportStatus(func(why error) {
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

// report reports the component's troubles to all hosts, or with nil that there is none.
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

// outageBegan logs that data goes to the log. With room in the log that is no error of the component.
func (c *core) outageBegan(cause error) {
	c.unsampled.Warn("data goes to the local log", errorFields(cause, zap.String("directory", c.root))...)
	c.outage.begin(c.now(), c.group.Delivered())
}

func (c *core) outageEnded() {
	c.unsampled.Info("data goes out again and the local log is drained")
	c.outage.end()
}

// troubled logs a change of a signal's troubles and reports the component's status.
func (c *core) troubled(change delivery.Change) {
	signal, what := zap.String("signal", change.Signal), zap.Stringer("trouble", change.Trouble)
	switch logs := change.Trouble.OfLogs(); {
	case change.Err == nil && logs:
		c.unsampled.Info("the local log works again", signal, what)
	case change.Err == nil:
		c.unsampled.Info("the downstream accepts the signal again", signal, what)
	case logs:
		c.unsampled.Error("the local log is degraded", signal, what,
			zap.String(errorType, string(failure.Log)), zap.Error(change.Err), zap.String("directory", c.root))
	case change.Trouble == health.OtherKey:
		c.unsampled.Error("records of the log need another key: they wait for a start with it", append(errorFields(change.Err), signal, what)...)
	default:
		c.unsampled.Error("the downstream refuses a signal: it waits and probes", append(errorFields(change.Err), signal, what)...)
	}
	if change.HealthChanged {
		c.report(change.Component)
	}
}

// errorFields returns the fields of an error and its class.
func errorFields(err error, more ...zap.Field) []zap.Field {
	class := failure.Classify(err, consumererror.IsPermanent(err)).Class
	return append([]zap.Field{zap.String(errorType, string(class)), zap.Error(err)}, more...)
}
