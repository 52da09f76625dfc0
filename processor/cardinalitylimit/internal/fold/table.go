package fold

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

// Budget bounds memory, as budget.Budget does.
type Budget interface {
	Reserve(bytes int) bool
	Release(bytes int)
}

// Options of a Table.
type Options struct {
	MaxStreams int // maximum number of accumulators and tracked streams together
	Gauge      Gauge
	Idle       time.Duration // time after which a silent stream or series is forgotten
	// IdleTimeout is the time after which a silent stream no longer counts in a sum of live streams, unless its own interval is
	// longer.
	IdleTimeout time.Duration
	// FirstValue is the rule by which a stream is new, so that its first value counts.
	FirstValue FirstValue
	Budget     Budget
	Now        func() time.Time
	// Random returns a number in [0, n). It selects exemplars. It must be safe for concurrent use.
	Random func(n uint64) uint64
	// Durable is true if cuts are stored, see Stored.
	Durable bool
}

// Table contains the accumulators and the state of their streams. It is safe for concurrent use, except Flush, Again, Cut,
// Finish, Sweep and Restore, which must have one caller.
//
// An accumulator has a lock of its own, which is the innermost: a goroutine with mu or the lock of a shard may lock it. No
// goroutine locks mu and a shard at the same time. Series are described and pdata is built without any lock.
type Table struct {
	opts Options

	mu           sync.RWMutex
	accumulators map[uint64]*accumulator
	origin       int64 // start of new accumulators, ns since the epoch

	// unknownUntil is the time until which unknown streams may have been counted: before our start, or forgotten and no longer
	// remembered.
	unknownUntil atomic.Int64
	forgotten    *forgotten
	writers      writers
	writerCount  atomic.Int64 // writers

	// commits is locked for reading while a batch is committed, and for writing while a cut is made. It is the outermost lock.
	commits  sync.RWMutex
	shards   [shardCount]shard
	cuts     uint64        // number of cuts; used by the caller of Flush
	stored   atomic.Uint64 // number of the last cut passed to Stored
	tracked  atomic.Int64  // number of accumulators and streams
	stats    sharedStats
	stagings sync.Pool // of *staging
	batches  sync.Pool // of *Batch
	// refused contains the refused parcels by their metadata. They are offered again, because their values cannot be repeated.
	// Only the caller of Flush uses it.
	refused map[string]*Parcel
}

// NewTable returns an empty table. Its cumulative series start now.
func NewTable(o Options) *Table {
	t := &Table{
		opts:         o,
		accumulators: make(map[uint64]*accumulator),
		origin:       o.Now().UnixNano(),
		refused:      make(map[string]*Parcel),
		forgotten:    newForgotten(o.MaxStreams, o.Budget),
	}
	t.unknownUntil.Store(t.origin - 1)
	t.stagings.New = func() any { return new(staging) }
	t.batches.New = func() any { return &Batch{table: t} }
	for i := range t.shards {
		t.shards[i].streams = make(map[uint64]*stream)
	}
	return t
}

// findOrAdd returns the accumulator id and adds it if it is missing. It returns nil if the table has no memory. The accumulator
// is pinned, so that a sweep keeps it until it is unpinned.
func (t *Table) findOrAdd(id uint64, v Value, describe func() Series) *accumulator {
	a := t.findPinned(id)
	if a != nil {
		return t.growRoom(a, v)
	}
	fresh := t.accumulator(v, describe)
	t.mu.Lock()
	defer t.mu.Unlock()
	if a = t.accumulators[id]; a == nil {
		if fresh == nil {
			return nil
		}
		a, fresh = fresh, nil
		a.id, a.origin = id, t.origin
		t.accumulators[id] = a
	}
	a.pin()
	if fresh != nil { // another batch was faster
		t.release(fresh.bytes)
	}
	return a
}

// growRoom reserves memory for a value with more buckets than the accumulator has had, and returns the accumulator. Without
// memory it unpins the accumulator and returns nil.
func (t *Table) growRoom(a *accumulator, v Value) *accumulator {
	a.mu.Lock()
	defer a.mu.Unlock()
	more := v.room() - a.valueRoom
	if more <= 0 {
		return a
	}
	reserve := more
	if !a.repeats() {
		reserve = 2 * more
	}
	if !t.opts.Budget.Reserve(reserve) {
		a.pins--
		return nil
	}
	a.valueRoom, a.bytes = a.valueRoom+more, a.bytes+reserve
	return a
}

// findPinned returns the accumulator id, pinned, or nil.
func (t *Table) findPinned(id uint64) *accumulator {
	t.mu.RLock()
	defer t.mu.RUnlock()
	a := t.accumulators[id]
	if a != nil {
		a.pin()
	}
	return a
}

// accumulator returns a new accumulator, or nil without memory. It describes the series only if memory is left, and reserves
// for its texts afterwards.
func (t *Table) accumulator(v Value, describe func() Series) *accumulator {
	bytes := seriesBytes + v.room()
	if !t.reserve(bytes) {
		return nil
	}
	a := &accumulator{series: describe(), bytes: bytes, valueRoom: bytes - seriesBytes}
	a.method = a.series.method(cmp.Or(a.series.Gauge, t.opts.Gauge))
	return t.chargeRest(a, bytes-seriesBytes)
}

// chargeRest reserves memory for the texts of a series. If a value may wait for downstream while the next one grows, it also
// reserves for a second value of the given size. Without memory it releases everything and returns nil.
func (t *Table) chargeRest(a *accumulator, value int) *accumulator {
	more := a.series.bytes() - seriesBytes
	if !a.repeats() {
		more += value
	}
	if !t.opts.Budget.Reserve(more) {
		t.release(a.bytes)
		return nil
	}
	a.bytes += more
	return a
}

// reserve reserves memory for one more accumulator or stream.
func (t *Table) reserve(bytes int) bool {
	if t.tracked.Add(1) > int64(t.opts.MaxStreams) || !t.opts.Budget.Reserve(bytes) {
		t.tracked.Add(-1)
		return false
	}
	return true
}

// release releases the memory of one accumulator or stream.
func (t *Table) release(bytes int) {
	t.opts.Budget.Release(bytes)
	t.tracked.Add(-1)
}

// rememberForgotten notes that the stream id is not tracked any more. Its next value is a baseline.
func (t *Table) rememberForgotten(id uint64) {
	t.NoteUnknownUntil(t.forgotten.add(id, t.opts.Now().UnixNano()))
}

// NoteUnknownUntil notes that unknown streams may have been counted, or have left as themselves, until the time at, in ns since the
// epoch.
func (t *Table) NoteUnknownUntil(at int64) {
	for {
		last := t.unknownUntil.Load()
		if at <= last || t.unknownUntil.CompareAndSwap(last, at) {
			return
		}
	}
}

// NoteChangedRules notes that streams may have left as themselves under other rules until the time at, in ns since the epoch. New
// series start then, because one of them may have the identity of such a stream.
func (t *Table) NoteChangedRules(at int64) {
	t.NoteUnknownUntil(at)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.origin = max(t.origin, at)
}

// Stored notes that c has been stored, or cannot be stored.
func (t *Table) Stored(c *Cut) { t.stored.Store(c.number) }

// all returns the accumulators.
func (t *Table) all() []*accumulator {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]*accumulator, 0, len(t.accumulators))
	for _, a := range t.accumulators {
		all = append(all, a)
	}
	return all
}

// Tracked is the number of accumulators and streams.
func (t *Table) Tracked() int { return int(t.tracked.Load()) }

// TakeStats returns the counts since the last call.
func (t *Table) TakeStats() Stats { return t.stats.drain() }
