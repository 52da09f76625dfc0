package tracker

import "sync/atomic"

// Budget bounds the bytes that trackers and re-aggregation state hold together.
// Whoever wants to grow reserves first and does without when refused; nothing
// that lives is evicted. Safe for concurrent use.
type Budget struct {
	max     int64
	used    atomic.Int64
	refused atomic.Int64
}

// NewBudget returns a budget of limit bytes.
func NewBudget(limit int64) *Budget { return &Budget{max: limit} }

// Reserve takes n bytes, or reports false and takes none.
func (b *Budget) Reserve(n int) bool {
	if b.used.Add(int64(n)) > b.max {
		b.used.Add(-int64(n))
		b.refused.Add(1)
		return false
	}
	return true
}

// Release gives n bytes back.
func (b *Budget) Release(n int) { b.used.Add(-int64(n)) }

// Used is what is reserved now, in bytes.
func (b *Budget) Used() int64 { return b.used.Load() }

// Refused counts the reservations that did not fit.
func (b *Budget) Refused() int64 { return b.refused.Load() }
