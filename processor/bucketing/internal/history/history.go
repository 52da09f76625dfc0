// Package history remembers a value per cumulative stream from its last point. Its size is bounded, whatever senders do.
package history

import (
	"sync"
	"sync/atomic"
)

// shards is the number of locks. An update locks one of them.
const shards = 16

// Table has a value per stream. It forgets none until the streams, or the words to which their values refer, exceed their
// limits. Then a new stream replaces the least recently seen one of its shard. A Table is safe for concurrent use.
//
// An LRU from a library, such as golang-lru, has no limit by words, allocates an entry per new stream, and links its
// entries by pointers, which the garbage collector follows.
type Table[V any] struct {
	shards               [shards]shard[V]
	maxStreams, maxWords int64
	streams, words       atomic.Int64
}

// shard has the streams whose identities have the same remainder.
type shard[V any] struct {
	mu      sync.Mutex // guards everything below
	indexes map[uint64]int32
	// entries are linked to a ring by their indexes. Without pointers in the values the garbage collector skips the table.
	// The first entry is the root of the ring: next is the most recently seen stream, prev the least recently seen one.
	entries []entry[V]
	free    int32 // index of the first unused entry; unused entries are linked by next; 0 without one
}

type entry[V any] struct {
	value      V
	id         uint64
	words      int
	next, prev int32
}

// New returns a table for at most n streams, whose values refer to at most wordsEach times n words of 8 bytes. Each stream
// needs at most 80 bytes in addition to its value and its words. The most recently seen stream of a shard always remains,
// so the table may exceed its limits by one stream per shard.
func New[V any](n, wordsEach int) *Table[V] {
	t := &Table[V]{maxStreams: int64(max(n, 1)), maxWords: int64(max(n, 1)) * int64(max(wordsEach, 1))}
	for i := range t.shards {
		t.shards[i].indexes, t.shards[i].entries = map[uint64]int32{}, make([]entry[V], 1)
	}
	return t
}

// Update calls update with the value of a stream, which is the zero value for an unknown stream. update changes the value
// in place and returns the number of words to which the value then refers. It must not keep the pointer. Other updates of
// the stream wait. The table allocates only while it grows.
func (t *Table[V]) Update(id uint64, update func(value *V, known bool) (words int)) {
	s := &t.shards[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.indexes[id]
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
			return // other shards remove streams when they are used next
		}
		t.streams.Add(-1)
		t.words.Add(-int64(s.entries[oldest].words))
		s.forget(oldest)
	}
}

// Len returns the number of remembered streams.
func (t *Table[V]) Len() int { return int(t.streams.Load()) }

// add returns the index of a new entry for a stream.
func (s *shard[V]) add(id uint64) int32 {
	at := s.free
	if at == 0 {
		at = int32(len(s.entries))
		s.entries = append(s.entries, entry[V]{})
	} else {
		s.free = s.entries[at].next
	}
	s.entries[at].id = id
	s.indexes[id] = at
	return at
}

// forget removes a stream.
func (s *shard[V]) forget(at int32) {
	s.unlink(at)
	delete(s.indexes, s.entries[at].id)
	s.entries[at] = entry[V]{next: s.free}
	s.free = at
}

// link makes a stream the most recently seen one.
func (s *shard[V]) link(at int32) {
	next := s.entries[0].next
	s.entries[at].next, s.entries[at].prev = next, 0
	s.entries[next].prev, s.entries[0].next = at, at
}

func (s *shard[V]) unlink(at int32) {
	next, prev := s.entries[at].next, s.entries[at].prev
	s.entries[prev].next, s.entries[next].prev = next, prev
}
