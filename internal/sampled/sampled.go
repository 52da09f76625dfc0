// Package sampled bounds the rate of log lines.
package sampled

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// interval is the time in which a message is written once.
	interval = time.Minute
	// maxMessages bounds the messages that a logger remembers: different ones beyond it are not written. zap's own sampler
	// has 28,672 counters, 448 KiB for each logger.
	maxMessages = 1024
)

// Logger returns a logger that writes at most one line per message and minute, so that a message about single items
// cannot flood the log.
func Logger(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return &core{c, &messages{written: map[message]time.Time{}}}
	}))
}

// core passes an entry on if its message may be written.
type core struct {
	zapcore.Core
	messages *messages // those of all loggers that With has made of one
}

// Level implements the interface that zapcore.LevelOf looks for.
func (c *core) Level() zapcore.Level { return zapcore.LevelOf(c.Core) }

// With implements zapcore.Core.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{c.Core.With(fields), c.messages}
}

// Check implements zapcore.Core.
func (c *core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) || !c.messages.mayWrite(message{e.Level, e.Message}, e.Time) {
		return checked
	}
	return c.Core.Check(e, checked)
}

type message struct {
	level zapcore.Level
	text  string
}

// messages are those of the last interval. It is safe for concurrent use.
type messages struct {
	mu      sync.Mutex
	written map[message]time.Time // when the interval of a message began
}

// mayWrite reports whether a message has not been written for an interval, and notes it.
func (m *messages) mayWrite(text message, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	begun, known := m.written[text]
	if known && now.Sub(begun) < interval {
		return false
	}
	if !known && len(m.written) >= maxMessages {
		m.forget(now)
		if len(m.written) >= maxMessages {
			return false
		}
	}
	m.written[text] = now
	return true
}

// forget removes the messages whose interval is over.
func (m *messages) forget(now time.Time) {
	for text, begun := range m.written {
		if now.Sub(begun) >= interval {
			delete(m.written, text)
		}
	}
}
