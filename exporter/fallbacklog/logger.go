package fallbacklog

import "go.uber.org/zap/zapcore"

// signalKey is the attribute with which the Collector marks an instance's lines.
const signalKey = "otelcol.signal"

// withoutSignal is for lines about the whole component: the first instance's signal is not theirs.
func withoutSignal(c zapcore.Core) zapcore.Core {
	if injected, ok := c.(interface {
		DropInjectedAttributes(attributes ...string) zapcore.Core
	}); ok {
		return injected.DropInjectedAttributes(signalKey)
	}
	return c
}
