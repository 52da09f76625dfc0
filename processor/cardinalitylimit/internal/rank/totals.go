package rank

import (
	"math"
	"sync"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// Totals remembers the last total of each cumulative stream that is a stranger, so that the weight of the stream is its
// growth. It is a table in which each hash has one slot. If two streams share a slot, it remembers the later one. It is safe
// for concurrent use.
type Totals struct {
	budget *budget.Budget

	mu       sync.Mutex // guards everything below
	slots    []total    // nil before the first stream, and always nil if the budget had no memory
	reserved bool       // the memory was asked for
}

type total struct {
	stream uint64  // identity
	last   float64 // total of its last point
}

const (
	slotBits = 15
	// totalsBytes is the size of all slots, 512 KiB.
	totalsBytes = 16 << slotBits
)

// NewTotals returns an empty table. The table reserves its memory at the first call of Growth.
func NewTotals(b *budget.Budget) *Totals { return &Totals{budget: b} }

// Growth returns by how much a stream has grown since the last call for it. It returns the total if the last total is not
// known or if the stream began anew.
func (t *Totals) Growth(stream uint64, now float64) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.reserved {
		if t.reserved = true; t.budget.Reserve(totalsBytes) {
			t.slots = make([]total, 1<<slotBits)
		}
	}
	if t.slots == nil {
		return now
	}
	s := &t.slots[stream>>(64-slotBits)]
	grown := now
	if s.stream == stream && now >= s.last {
		grown = now - s.last
	}
	*s = total{stream, now}
	return grown
}

// Finite returns the weight, or 0 if it is not a number, negative or infinite.
func Finite(weight float64) float64 {
	if weight > 0 && weight <= math.MaxFloat64 {
		return weight
	}
	return 0
}
