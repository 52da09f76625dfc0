package fold

import (
	"math"
	"sync"
	"sync/atomic"
)

// stream is the state of a contributor of a cumulative accumulator. Guarded by the
// lock of its shard; its measures are never written again.
type stream struct {
	to          *accumulator
	start, time int64 // of its last point, and of the last one of its own origin
	seen        int64 // our clock at its last point
	last        measure
	ended       bool // by a stale point
	// After the stream was admitted again: downstream sees what came since.
	admitted bool
	offset   measure // nil: nothing to take off
	floor    int64   // its earliest start from then on
	// uncertain: it was admitted when its state was stored, and the process was killed
	// after that. What it grew by meanwhile has left.
	uncertain bool
	// promised: it has a place and is folded until a cut that says so is stored: one
	// that passes and is found folded after a kill would count twice. The number of
	// that cut, asked before there is one, 0 where it has no place.
	promised uint64
	bytes    int
	others   []origin // of other starts; never written again

	writer   uint64
	serial   uint32 // of the writer's collection that it came in last
	streak   uint8  // collections that it came in one after the other, up to settledAfter
	interval int64  // between its last points, ns
}

// met notes that the stream came in a collection of its writer. The time is that of the
// point before.
func (s *stream) met(p *staged, e *evidence) {
	s.interval = p.Time - s.time
	switch e.serial - s.serial {
	case 0:
	case 1:
		s.streak = min(s.streak+1, settledAfter)
	default:
		s.streak = 1
	}
	s.writer, s.serial = p.Writer, e.serial
}

// settledAfter is how many collections in a row a stream has to come in for its absence
// from later ones to mean something.
const settledAfter = 3

// asked is the number of a cut to come.
const asked = math.MaxUint64

func (s *stream) contributes() bool { return !s.ended && !s.admitted }

// streamBytes is what a stream takes beside its measures, its share of the map
// included.
const streamBytes = 256

// stateBytes is what a stream's state takes: its last value and, once admitted, the
// offset.
func stateBytes(v Value) int { return streamBytes + 2*v.bytes() }

// shard holds the streams whose identities begin alike: goroutines meet only where
// their streams do.
type shard struct {
	mu      sync.Mutex
	streams map[uint64]*stream
	// known is len(streams), to be read without the lock: every cumulative point
	// that passes asks, and most gateways fold few streams or none.
	known atomic.Int64
}

const (
	shardBits  = 6
	shardCount = 1 << shardBits
)

func (t *Table) shard(id uint64) *shard { return &t.shards[id>>(64-shardBits)] }

// Knows tells whether stream id has a state: that of any other has never been
// folded, and [Batch.Admit] has nothing to say about it. A point that another batch
// folds at this moment does not count, as it would not by another order of arrival.
func (t *Table) Knows(id uint64) bool {
	in := t.shard(id)
	if in.known.Load() == 0 {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.streams[id] != nil
}

// each calls f for every stream, shard by shard under its lock.
func (t *Table) each(f func(in *shard, id uint64, s *stream)) {
	for i := range t.shards {
		in := &t.shards[i]
		in.mu.Lock()
		for id, s := range in.streams {
			f(in, id, s)
		}
		in.mu.Unlock()
	}
}

// charge reserves for a stream whose values have become larger, or forgets it. The
// shard's lock is held.
func (t *Table) charge(in *shard, id uint64, s *stream, n *Stats) {
	more := s.size() - s.bytes
	if more <= 0 {
		return
	}
	if !t.opts.Budget.Reserve(more) {
		n[StatRefusedStreams]++
		t.forget(in, id, s)
		return
	}
	s.bytes += more
}

// forget removes a stream. What it had grown to has been counted: should it come
// back, that is its baseline. The shard's lock is held.
func (t *Table) forget(in *shard, id uint64, s *stream) {
	if s.to.method == addGrowth {
		t.remember(id)
	}
	s.leave()
	delete(in.streams, id)
	in.known.Add(-1)
	t.release(s.bytes)
}

// join makes the stream, which belongs nowhere, a contributor of a.
func (s *stream) join(a *accumulator) {
	s.to, s.ended, s.admitted, s.offset = a, false, false, nil
	a.count(1, 1)
}

// leave takes the stream from the accumulator that it belongs to.
func (s *stream) leave() {
	s.pause()
	s.to.count(-1, 0)
}

// pause ends the stream's contribution if it makes one; the caller says why.
func (s *stream) pause() {
	if s.contributes() {
		s.to.count(0, -1)
	}
}
