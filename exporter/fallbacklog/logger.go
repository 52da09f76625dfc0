package fallbacklog

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// sampled passes at most one line a minute for each message.
func sampled(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, time.Minute, 1, 0)
	}))
}

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
