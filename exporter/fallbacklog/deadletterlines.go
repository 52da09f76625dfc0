package fallbacklog

import (
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

// deadLetterLineEvery is the shortest time between two lines about a signal's dead letter.
const deadLetterLineEvery = time.Minute

// deadLetterLines joins the records that go to a signal's dead letter into log lines. The first record after a quiet minute is
// logged at once. The records of the next minute are logged together. It is safe for concurrent use.
type deadLetterLines struct {
	mu       sync.Mutex
	line     deadLetterLine
	lastLine time.Time
}

// deadLetterLine is the content of a line.
type deadLetterLine struct {
	records, items int
	reason         delivery.Reason // of the last record
	cause          error           // of the last record
}

// add adds a record and returns the line that is due.
func (l *deadLetterLines) add(now time.Time, reason delivery.Reason, items int, cause error) (line deadLetterLine, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.records++
	l.line.items += items
	l.line.reason, l.line.cause = reason, cause
	return l.dueLocked(now)
}

// due returns the line that is due.
func (l *deadLetterLines) due(now time.Time) (line deadLetterLine, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dueLocked(now)
}

func (l *deadLetterLines) dueLocked(now time.Time) (line deadLetterLine, due bool) {
	if l.line.records == 0 || !l.lastLine.IsZero() && now.Sub(l.lastLine) < deadLetterLineEvery {
		return deadLetterLine{}, false
	}
	return l.resetLocked(now), true
}

// remaining returns the records that are not logged yet.
func (l *deadLetterLines) remaining(now time.Time) (line deadLetterLine, any bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line.records == 0 {
		return deadLetterLine{}, false
	}
	return l.resetLocked(now), true
}

func (l *deadLetterLines) resetLocked(now time.Time) deadLetterLine {
	line := l.line
	l.line, l.lastLine = deadLetterLine{}, now
	return line
}

// logDeadLettered logs that records went to the dead letter, and the command that shows them.
func (t *laneTelemetry) logDeadLettered(line deadLetterLine, due bool) {
	if !due {
		return
	}
	c := t.core
	t.unsampled.Warn("records went to the dead letter", errorFields(line.cause,
		zap.Int("records", line.records), zap.Int("items", line.items), zap.String("reason", string(line.reason)),
		zap.String("directory", filepath.Join(c.root, t.signal, deadLetterDir)),
		zap.String("command", "fallbacklog cat -dead-letter -component "+c.id.String()+" -signal "+t.signal+" "+c.cfg.Log.Directory))...)
}
