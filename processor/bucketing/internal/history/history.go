// Package history remembers something about each cumulative stream from its last point, within
// bounds that no sender can move.
package history

import "sync"

// shards is a power of two. A lock is held for the time of an update.
const shards = 16

// Table holds a value for each stream, in two generations: a stream seen is in the young one, and
// when that is full it becomes the old one, which is forgotten. So a table of n streams knows at
// least the n/2 seen last, as long as they keep to the words they may have. Safe for concurrent use.
type Table[V any] struct {
	shards         [shards]shard[V]
	streams, words int // of a shard's generation
}

type shard[V any] struct {
	mu         sync.Mutex
	young, old map[uint64]entry[V]
	words      int // of the young generation
}

type entry[V any] struct {
	value V
	words int
}

// New returns a table of at most about n streams and of wordsEach times n words of 8 bytes, which
// is what values refer to; each stream takes 100 bytes and its value besides.
func New[V any](n, wordsEach int) *Table[V] {
	size := max(n/(2*shards), 1)
	t := &Table[V]{streams: size, words: size * max(wordsEach, 1)}
	for i := range t.shards {
		t.shards[i].young, t.shards[i].old = map[uint64]entry[V]{}, map[uint64]entry[V]{}
	}
	return t
}

// Update replaces a stream's value by what update makes of it, together with the number of words
// that the new value refers to. Other updates of the stream wait. The table allocates only while it
// grows.
func (t *Table[V]) Update(id uint64, update func(before V, known bool) (now V, words int)) {
	s := &t.shards[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.young[id]
	if known {
		s.words -= before.words
	} else {
		before, known = s.old[id]
		delete(s.old, id) // it is young again
	}
	value, words := update(before.value, known)
	s.young[id] = entry[V]{value, words}
	s.words += words
	if len(s.young) >= t.streams || s.words >= t.words {
		s.turn()
	}
}

// Len returns the number of streams known.
func (t *Table[V]) Len() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return n
}

func (s *shard[V]) turn() {
	s.young, s.old = s.old, s.young
	clear(s.young)
	s.words = 0
}
