package delivery

import (
	"slices"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

const (
	// windowSize bounds the records in memory during replay, and with them what a crash delivers twice.
	windowSize = 8
	// poisonFailures is how often a record must fail, others passing in between, to be held for the cause.
	poisonFailures = 3
)

// pending is a record that replay has read and not settled.
type pending struct {
	batch    Batch // nil: the record cannot be decoded
	items    int
	written  time.Time
	attempts int
	entry    segment.Entry
	// failures counts the failures between which something else was delivered; seen is the group's count of
	// deliveries at the last one.
	failures int
	seen     uint64
	refused  bool // has had a permanent error
}

// failed notes a failure while the group has made so many deliveries.
func (p *pending) failed(successes uint64) {
	if p.failures == 0 || successes > p.seen {
		p.failures++
	}
	p.seen = successes
}

func (p *pending) poison() bool { return p.failures >= poisonFailures }

// window holds the unsettled records in the order in which they were read. They are settled in any order. It is used by
// one goroutine.
type window struct {
	records []*pending
	turn    int // the record to try next
}

// next returns the record whose turn it is, or nil when one should be read first.
func (w *window) next() *pending {
	if w.turn < len(w.records) {
		return w.records[w.turn]
	}
	if len(w.records) == windowSize {
		w.turn = 0
		return w.records[0]
	}
	return nil
}

// wrap gives the oldest record its turn: there is none to read.
func (w *window) wrap() *pending {
	w.turn = 0
	if len(w.records) == 0 {
		return nil
	}
	return w.records[0]
}

func (w *window) add(p *pending) {
	w.records = append(w.records, p)
	w.turn = len(w.records) - 1
}

// pass gives the turn to the next record: this one has failed, and another shows whose fault it is.
func (w *window) pass() { w.turn++ }

// olderThan returns the records that were written at t or before.
func (w *window) olderThan(t time.Time) (old []*pending) {
	for _, r := range w.records {
		if !r.written.After(t) {
			old = append(old, r)
		}
	}
	return old
}

// settle takes a record out and gives the oldest one its turn.
func (w *window) settle(p *pending) {
	w.records = slices.DeleteFunc(w.records, func(r *pending) bool { return r == p })
	w.turn = 0
}
