// Package history remembers something about each cumulative stream from its last point, within
// bounds that no sender can move.
package history

import (
	"sync"
	"sync/atomic"
)

// shards is a power of two. A lock is held for the time of an update.
const shards = 16

// Table keeps a value for each stream. None is forgotten as long as there are no more streams than it
// has room for, and they keep to the words they may have; beyond that each new one takes the place of
// the one of its shard that has not been seen for longest. Safe for concurrent use.
type Table[V any] struct {
	shards               [shards]shard[V]
	maxStreams, maxWords int64
	streams, words       atomic.Int64
}

// shard is a part of the streams, by their identity.
type shard[V any] struct {
	mu     sync.Mutex
	places map[uint64]int32
	// entries are linked by their places, which are no pointers: tables of values without any are
	// nothing to the garbage collector. The first is the ring's own: after it comes the stream
	// seen last, before it the one not seen for longest.
	entries []entry[V]
	free    int32 // the first of the places that are free, linked by next; 0 if there is none
}

type entry[V any] struct {
	value      V
	id         uint64
	words      int
	next, prev int32
}

// New returns a table of at most n streams and of wordsEach times n words of 8 bytes, which is what
// values refer to; each stream takes at most 80 bytes and its value besides. The stream just seen is
// kept in any case, so that there can be one more of each shard.
func New[V any](n, wordsEach int) *Table[V] {
	t := &Table[V]{maxStreams: int64(max(n, 1)), maxWords: int64(max(n, 1)) * int64(max(wordsEach, 1))}
	for i := range t.shards {
		t.shards[i].places, t.shards[i].entries = map[uint64]int32{}, make([]entry[V], 1)
	}
	return t
}

// Update calls update for a stream's value, which is the zero value if the stream is not known. Update
// changes it in place, must not keep the pointer, and returns the number of words that the value then
// refers to. Other updates of the stream wait. The table allocates only while it grows.
func (t *Table[V]) Update(id uint64, update func(value *V, known bool) (words int)) {
	s := &t.shards[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.places[id]
	if known {
		s.unlink(at)
	} else {
		at = s.add(id)
		t.streams.Add(1)
	}
	s.link(at)
	e := &s.entries[at]
	if words := update(&e.value, known); words != e.words {
		t.words.Add(int64(words - e.words))
		e.words = words
	}
	for t.streams.Load() > t.maxStreams || t.words.Load() > t.maxWords {
		oldest := s.entries[0].prev
		if oldest == at {
			return // other shards make room when they are next used
		}
		t.streams.Add(-1)
		t.words.Add(-int64(s.entries[oldest].words))
		s.forget(oldest)
	}
}

// Len returns the number of streams known.
func (t *Table[V]) Len() int { return int(t.streams.Load()) }

// add returns the place of a new stream.
func (s *shard[V]) add(id uint64) int32 {
	at := s.free
	if at == 0 {
		at = int32(len(s.entries))
		s.entries = append(s.entries, entry[V]{})
	} else {
		s.free = s.entries[at].next
	}
	s.entries[at].id = id
	s.places[id] = at
	return at
}

func (s *shard[V]) forget(at int32) {
	s.unlink(at)
	delete(s.places, s.entries[at].id)
	s.entries[at] = entry[V]{next: s.free}
	s.free = at
}

// link makes a stream the one seen last.
func (s *shard[V]) link(at int32) {
	next := s.entries[0].next
	s.entries[at].next, s.entries[at].prev = next, 0
	s.entries[next].prev, s.entries[0].next = at, at
}

func (s *shard[V]) unlink(at int32) {
	next, prev := s.entries[at].next, s.entries[at].prev
	s.entries[prev].next, s.entries[next].prev = next, prev
}
