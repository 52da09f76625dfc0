package fold

import (
	"math"
	"sync"
	"sync/atomic"
)

// stream is the state of a contributor of a cumulative accumulator. The lock of its shard guards it. Its measures are never
// written again.
type stream struct {
	to          *accumulator
	start, time int64 // start of the last point; time of the last point of that start
	seen        int64 // time of the last point by our clock
	last        measure
	ended       bool // a stale point ended the stream
	// admitted: the stream has got a place after it was folded. Downstream sees its growth since then.
	admitted bool
	offset   measure // value at the last folded point, which is subtracted; nil: nothing is subtracted
	floor    int64   // earliest start of a passing point
	// uncertain: the stream had a place when its state was stored, and the process was killed afterwards. Its growth meanwhile
	// may have been sent.
	uncertain bool
	// passAfterCut is the number of the cut after which this stream may pass, because it has a place. Until that cut is stored
	// the stream stays folded. Otherwise a kill would restore it as folded and count it twice. It is nextCut before that cut is
	// made, and 0 if the stream has no place.
	passAfterCut uint64
	bytes        int
	others       []origin // state of the other starts; never written again

	writer   uint64
	serial   uint32 // number of the writer's last collection with this stream
	streak   uint8  // number of successive collections with this stream, up to steadyAfter
	interval int64  // between the last two points, ns
}

// noteCollection notes that the stream came in a collection of its writer. s.time is still that of the point before.
func (s *stream) noteCollection(p *staged, e *evidence) {
	s.interval = p.Time - s.time
	switch e.serial - s.serial {
	case 0:
	case 1:
		s.streak = min(s.streak+1, steadyAfter)
	default:
		s.streak = 1
	}
	s.writer, s.serial = p.Writer, e.serial
}

// steadyAfter is the number of successive collections after which the absence of a stream shows that it has ended.
const steadyAfter = 3

// nextCut stands for the number of the next cut.
const nextCut = math.MaxUint64

func (s *stream) contributes() bool { return !s.ended && !s.admitted }

// streamBytes is the size of a stream without its measures, including its share of the map.
const streamBytes = 256

// stateBytes is the size of a stream's state: its last value and the offset that it has after it was admitted.
func stateBytes(v Value) int { return streamBytes + 2*v.bytes() }

// shard contains the streams whose identities begin with the same bits. Goroutines wait for each other only if their streams
// are in one shard.
type shard struct {
	mu      sync.Mutex
	streams map[uint64]*stream
	// counts[i] is the number of streams whose identity modulo len(counts) is i. It is read without the lock: every passing
	// cumulative point reads one of them, and most gateways fold few streams or none.
	counts [256]atomic.Int32
}

// add adds a stream. The caller holds the lock.
func (in *shard) add(id uint64, s *stream) {
	in.streams[id] = s
	in.counts[id%uint64(len(in.counts))].Add(1)
}

// remove removes a stream. The caller holds the lock.
func (in *shard) remove(id uint64) {
	delete(in.streams, id)
	in.counts[id%uint64(len(in.counts))].Add(-1)
}

const (
	shardBits  = 6
	shardCount = 1 << shardBits
)

func (t *Table) shard(id uint64) *shard { return &t.shards[id>>(64-shardBits)] }

// Knows reports whether stream id has a state. A stream without one was never folded, so [Batch.Admit] is not needed for it. A
// point that another batch folds at the same time does not count, as if it had come later.
func (t *Table) Knows(id uint64) bool {
	in := t.shard(id)
	if in.counts[id%uint64(len(in.counts))].Load() == 0 {
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

// charge reserves memory for a stream whose values have become larger. Without memory it forgets the stream. The caller holds
// the lock of the shard.
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

// forget removes a stream. Its value has been counted, so its next value is a baseline. The caller holds the lock of the shard.
func (t *Table) forget(in *shard, id uint64, s *stream) {
	if s.to.method == addGrowth {
		t.rememberForgotten(id)
	}
	s.leave()
	in.remove(id)
	t.release(s.bytes)
}

// join makes the stream, which belongs to no accumulator, a contributor of a.
func (s *stream) join(a *accumulator) {
	s.to, s.ended, s.admitted, s.offset = a, false, false, nil
	a.count(1, 1)
}

// leave removes the stream from its accumulator.
func (s *stream) leave() {
	s.pause()
	s.to.count(-1, 0)
}

// pause ends the stream's contribution, if there is one. The caller then sets the reason.
func (s *stream) pause() {
	if s.contributes() {
		s.to.count(0, -1)
	}
}
