package fallbacklog

import (
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// attach makes an instance's host hear of the component's status, until detach, beginning with what is wrong already.
func (c *core) attach(instance any, host component.Host) {
	c.mu.Lock()
	c.hosts[instance] = host
	c.mu.Unlock()
	c.health.Tell(func(why error) {
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

// downstream is the name of the trouble that data falls back.
const downstream = "downstream"

func (c *core) degraded(cause error) {
	class := failure.Of(cause, consumererror.IsPermanent(cause)).Class
	c.logger.Warn("data goes to the local log", zap.String(errorType, string(class)), zap.Error(cause), zap.String("directory", c.root))
	c.health.Set(downstream, cause)
}

func (c *core) healthy() {
	c.logger.Info("data goes out again and the local log is drained")
	c.health.Set(downstream, nil)
}

func (c *core) logDegraded(signal string, why error) {
	if why != nil {
		why = fmt.Errorf("%s: %w", signal, why)
		c.logger.Error("the local log is degraded", zap.String(errorType, string(failure.Log)), zap.Error(why), zap.String("directory", c.root))
	} else {
		c.logger.Info("the local log works again", zap.String("signal", signal))
	}
	c.health.Set("log of "+signal, why)
}
