package fallbacklog

import (
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

// burialsEvery is the least time between two lines about a signal's dead letter.
const burialsEvery = time.Minute

// burials are the records that went to a signal's dead letter since the last line about them. The first record after a
// quiet minute has a line at once; what follows within a minute has one together. Safe for concurrent use.
type burials struct {
	mu       sync.Mutex
	line     burialLine
	lastLine time.Time
}

// burialLine is what a line is about.
type burialLine struct {
	records, items int
	reason         delivery.Reason // of the last record
	cause          error           // of the last record
}

// add notes a record, and returns the line that is due.
func (b *burials) add(now time.Time, reason delivery.Reason, items int, cause error) (line burialLine, due bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line.records++
	b.line.items += items
	b.line.reason, b.line.cause = reason, cause
	return b.dueLocked(now)
}

// due returns the line that is due.
func (b *burials) due(now time.Time) (line burialLine, due bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dueLocked(now)
}

func (b *burials) dueLocked(now time.Time) (line burialLine, due bool) {
	if b.line.records == 0 || !b.lastLine.IsZero() && now.Sub(b.lastLine) < burialsEvery {
		return burialLine{}, false
	}
	return b.takeLocked(now), true
}

// rest returns what has had no line.
func (b *burials) rest(now time.Time) (line burialLine, any bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.line.records == 0 {
		return burialLine{}, false
	}
	return b.takeLocked(now), true
}

func (b *burials) takeLocked(now time.Time) burialLine {
	line := b.line
	b.line, b.lastLine = burialLine{}, now
	return line
}

// tellBurials logs that records went to the dead letter, and how to look at them.
func (t *laneTelemetry) tellBurials(line burialLine, due bool) {
	if !due {
		return
	}
	c := t.core
	t.states.Warn("records went to the dead letter", errorFields(line.cause,
		zap.Int("records", line.records), zap.Int("items", line.items), zap.String("reason", string(line.reason)),
		zap.String("directory", filepath.Join(c.root, t.signal, deadLetterDir)),
		zap.String("command", "fallbacklog cat -dead-letter -component "+c.id.String()+" -signal "+t.signal+" "+c.cfg.Log.Directory))...)
}
