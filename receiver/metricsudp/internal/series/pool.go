package series

import (
	"sync"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// pool keeps what was emptied for whoever needs one next, reader or flusher, so
// that a series holds a histogram only while it has values. Safe for concurrent
// use; readers take batches, so that the mutex is no cost.
type pool[T sized] struct {
	budget *budget.Budget
	create func() T

	mu   sync.Mutex
	free []T
	low  int // the fewest that were free since the last trim
}

// sized is what a pool holds.
type sized interface {
	comparable
	size() int // bytes
	reset()
}

// poolBatch is how many a reader takes at once.
const poolBatch = 32

// cache is one reader's part of a pool.
type cache[T sized] struct {
	pool *pool[T]
	free []T
}

// take returns an empty one, or the zero T where the budget has no room for another;
// must takes it from beyond the budget then.
func (c *cache[T]) take(must bool) T {
	if len(c.free) == 0 {
		c.free = c.pool.moveTo(c.free)
	}
	if last := len(c.free) - 1; last >= 0 {
		x := c.free[last]
		c.free = c.free[:last]
		return x
	}
	x := c.pool.create()
	if must {
		c.pool.budget.Force(x.size())
	} else if !c.pool.budget.Reserve(x.size()) {
		var none T
		return none
	}
	return x
}

func (p *pool[T]) moveTo(free []T) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := max(len(p.free)-poolBatch, 0)
	free = append(free, p.free[keep:]...)
	clear(p.free[keep:])
	p.free = p.free[:keep]
	p.low = min(p.low, keep)
	return free
}

// put takes one back.
func (p *pool[T]) put(x T) {
	x.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, x)
}

// trim drops half of those that nobody needed since the last trim.
func (p *pool[T]) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := len(p.free) - (p.low+1)/2
	for _, x := range p.free[keep:] {
		p.budget.Release(x.size())
	}
	clear(p.free[keep:])
	p.free = p.free[:keep]
	p.low = keep
}
