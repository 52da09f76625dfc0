// Package budget bounds the memory that the parts of a component use together.
//
// A part reserves bytes before it grows. If the reservation fails, the part does not grow; nothing is evicted.
// The number of bytes is the part's own estimate, which is at least what its data occupies on the heap.
package budget

import "sync/atomic"

// Budget counts the reserved bytes of a component. Its methods are safe for concurrent use.
type Budget struct {
	limit   int64
	used    atomic.Int64
	refused atomic.Int64
}

// New returns a budget of limit bytes.
func New(limit int64) *Budget { return &Budget{limit: limit} }

// Reserve adds n bytes to the reserved ones unless the limit would be exceeded, and reports whether it did. A failed
// reservation changes nothing, not even for a moment, so a large one never makes a concurrent small one fail.
func (b *Budget) Reserve(n int) bool {
	for {
		used := b.used.Load()
		if used+int64(n) > b.limit {
			b.refused.Add(1)
			return false
		}
		if b.used.CompareAndSwap(used, used+int64(n)) {
			return true
		}
	}
}

// Force reserves n bytes even beyond the limit. It is for data that has a bound of its own.
func (b *Budget) Force(n int) { b.used.Add(int64(n)) }

// Release gives n bytes back.
func (b *Budget) Release(n int) { b.used.Add(-int64(n)) }

// Used returns the number of reserved bytes.
func (b *Budget) Used() int64 { return b.used.Load() }

// Refused returns how many reservations have failed.
func (b *Budget) Refused() int64 { return b.refused.Load() }
