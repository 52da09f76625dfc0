// Package budget bounds the bytes that the parts of a component hold together.
//
// A part reserves before it grows and does without where it is refused; nothing
// that lives is evicted. Bytes are what the part says they are: an estimate that
// is not below what the heap holds.
package budget

import "sync/atomic"

// Budget of a component. Its methods are safe for concurrent use.
type Budget struct {
	limit   int64
	used    atomic.Int64
	refused atomic.Int64
}

// New returns a budget of limit bytes.
func New(limit int64) *Budget { return &Budget{limit: limit} }

// Reserve takes n bytes where they are left, and reports whether they were. What is
// refused was never taken, so a large request does not make a small one fail.
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

// Force takes n bytes even where they are not left: for what is bounded by itself.
func (b *Budget) Force(n int) { b.used.Add(int64(n)) }

// Release gives n bytes back.
func (b *Budget) Release(n int) { b.used.Add(-int64(n)) }

// Used is what is reserved, in bytes.
func (b *Budget) Used() int64 { return b.used.Load() }

// Refused counts the reservations that did not fit.
func (b *Budget) Refused() int64 { return b.refused.Load() }
