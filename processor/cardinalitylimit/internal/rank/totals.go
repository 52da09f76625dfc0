package rank

import (
	"math"
	"sync"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// Totals remembers the last total of cumulative streams that are strangers, to weigh them by what they
// grew. It is a table with one slot for each hash: of two streams that share a slot the later one is
// remembered. Safe for concurrent use.
type Totals struct {
	budget *budget.Budget

	mu    sync.Mutex
	slots []total // nil until the first stream, and for good if the budget has no room
	asked bool
}

type total struct {
	stream uint64
	last   float64
}

const (
	slotBits = 15
	// totalsBytes is the size of all slots: 512 KiB.
	totalsBytes = 16 << slotBits
)

// NewTotals returns an empty table, which reserves its memory when it is first used.
func NewTotals(b *budget.Budget) *Totals { return &Totals{budget: b} }

// Growth returns by how much a stream grew since it was asked about last, or its total if that is not
// known or the stream began anew.
func (t *Totals) Growth(stream uint64, now float64) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.asked {
		if t.asked = true; t.budget.Reserve(totalsBytes) {
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

// Finite is a weight as the order needs it: 0 for what is no number, negative or infinite.
func Finite(weight float64) float64 {
	if weight > 0 && weight <= math.MaxFloat64 {
		return weight
	}
	return 0
}
