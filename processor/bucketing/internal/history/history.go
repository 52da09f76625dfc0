// Package history remembers, for each cumulative stream, what the split of its last
// point depended on. A split that changes while the stream goes on may put fewer
// observations into a bucket than before, which downstream is a counter reset.
package history

import "sync"

// Basis is what a split depends on.
type Basis struct {
	Start uint64 // the stream's start, ns since the epoch; with a new one it begins anew
	Scale int32  // at which exponential buckets are split; 0 for explicit ones
	// Print is a fingerprint of an explicit layout's bounds, or the bits of the zero
	// threshold.
	Print uint64
	// Exact: nothing is split. From one exact basis to another nothing decreases.
	Exact bool
}

// shards is a power of two; a batch holds one lock for the time of a map access.
const shards = 16

// Table holds a basis for each stream, in two generations: a stream seen is in the
// young one, and when that is full it becomes the old one, which is forgotten. So a
// table of n streams knows at least the n/2 seen last. Safe for concurrent use.
type Table struct {
	shards [shards]shard
	size   int // of a shard's generation
}

type shard struct {
	mu         sync.Mutex
	young, old map[uint64]Basis
}

// New returns a table of at most about n streams, 100 bytes each.
func New(n int) *Table {
	t := &Table{size: max(n/(2*shards), 1)}
	for i := range t.shards {
		t.shards[i] = shard{young: map[uint64]Basis{}, old: map[uint64]Basis{}}
	}
	return t
}

// Swap remembers a stream's basis and returns the one before, if it is known. It
// allocates only while the table grows.
func (t *Table) Swap(id uint64, now Basis) (before Basis, known bool) {
	s := &t.shards[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known = s.young[id]
	if known {
		if before != now {
			s.young[id] = now
		}
		return before, true
	}
	before, known = s.old[id]
	if len(s.young) >= t.size {
		s.young, s.old = s.old, s.young
		clear(s.young)
	}
	s.young[id] = now
	return before, known
}
