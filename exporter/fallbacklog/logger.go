package fallbacklog

import "go.uber.org/zap/zapcore"

// signalKey is the attribute that the Collector adds to an instance's log lines.
const signalKey = "otelcol.signal"

// withoutSignal removes signalKey from lines about the whole component, because they would show the first instance's signal.
func withoutSignal(c zapcore.Core) zapcore.Core {
	if injected, ok := c.(interface {
		DropInjectedAttributes(attributes ...string) zapcore.Core
	}); ok {
		return injected.DropInjectedAttributes(signalKey)
	}
	return c
}
