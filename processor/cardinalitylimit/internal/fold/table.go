package fold

import (
	"sync"
	"sync/atomic"
	"time"
)

// Budget bounds memory; tracker.Budget is one.
type Budget interface {
	Reserve(bytes int) bool
	Release(bytes int)
}

// Options of a Table.
type Options struct {
	MaxStreams int // accumulators and tracked streams together
	Gauge      Gauge
	Idle       time.Duration // after which a silent stream or series is forgotten
	Budget     Budget
	Now        func() time.Time
}

// Table is the accumulators and the state of their streams. Safe for concurrent
// use, but for Flush and Settle, which have one caller.
type Table struct {
	opts Options

	mu           sync.Mutex
	accumulators map[uint64]*accumulator
	streams      map[uint64]*stream
	origin       int64 // of accumulators to come
	horizon      int64 // of accumulators to come
	stats        Stats

	// tracked is the number of streams, to pass by without the lock while there are
	// none.
	tracked atomic.Int64
}

// NewTable returns an empty table. Cumulative series start now.
func NewTable(o Options) *Table {
	return &Table{
		opts:         o,
		accumulators: make(map[uint64]*accumulator),
		streams:      make(map[uint64]*stream),
		origin:       o.Now().UnixNano(),
	}
}

// open returns the accumulator id, making it where there is none, or nil where
// there is no room. The lock is held.
func (t *Table) open(id uint64, v Value, describe func() Series) *accumulator {
	if a := t.accumulators[id]; a != nil {
		return a
	}
	bytes := seriesBytes
	if v.measure != nil {
		bytes += v.bytes()
	}
	if !t.reserve(bytes) {
		return nil
	}
	a := &accumulator{series: describe(), origin: t.origin, horizon: t.horizon, bytes: bytes}
	a.method = a.series.method(t.opts.Gauge)
	t.accumulators[id] = a
	return a
}

// reserve makes room for one more accumulator or stream.
func (t *Table) reserve(bytes int) bool {
	if len(t.accumulators)+len(t.streams) >= t.opts.MaxStreams {
		return false
	}
	return t.opts.Budget.Reserve(bytes)
}

// Tracked is the number of accumulators and streams.
func (t *Table) Tracked() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.accumulators) + len(t.streams)
}

// TakeStats returns what has been counted since the last call.
func (t *Table) TakeStats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.stats
	t.stats = Stats{}
	return n
}

// Sweep forgets what has been silent for the idle time.
func (t *Table) Sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.opts.Now().Add(-t.opts.Idle).UnixNano()
	for id, s := range t.streams {
		if s.seen < before {
			s.to.horizon = max(s.to.horizon, s.start)
			t.forget(id, s)
		}
	}
	for id, a := range t.accumulators {
		flushed := a.value == nil || a.repeats()
		if a.seen < before && a.refs == 0 && a.pins == 0 && flushed {
			// A series of this name to come must begin after this one.
			t.origin = max(t.origin, a.emitted)
			t.horizon = max(t.horizon, a.horizon)
			delete(t.accumulators, id)
			t.opts.Budget.Release(a.bytes)
		}
	}
}

// forget removes a stream.
func (t *Table) forget(id uint64, s *stream) {
	s.to.refs--
	if s.contributes() {
		s.to.live--
	}
	delete(t.streams, id)
	t.opts.Budget.Release(s.bytes)
	t.tracked.Add(-1)
}
