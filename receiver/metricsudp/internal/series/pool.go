package series

import (
	"sync"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// pool keeps what was emptied for whoever needs one next, reader or flusher, so
// that a series holds a histogram only while it has values. All that is in a pool is
// of one configuration. Safe for concurrent use; a reader moves a batch at once, so
// that the mutex costs little.
type pool[T sized] struct {
	budget *budget.Budget
	create func() T
	batch  int        // how many a reader moves at once
	caches []cache[T] // of the readers, by the index of their table

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

// A reader moves as many at once as poolBatch and poolBatchBytes allow. The other readers
// cannot use them.
const (
	poolBatch      = 32
	poolBatchBytes = 64 << 10
)

func newPool[T sized](b *budget.Budget, tables int, create func() T) *pool[T] {
	p := &pool[T]{budget: b, create: create, caches: make([]cache[T], tables)}
	p.batch = min(max(poolBatchBytes/create().size(), 1), poolBatch)
	for i := range p.caches {
		p.caches[i].pool = p
	}
	return p
}

// cache is one reader's part of a pool.
type cache[T sized] struct {
	pool *pool[T]
	free []T
	_    [96]byte // readers do not write to each other's cache lines
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
	return c.pool.another(must)
}

// put takes one back for the same reader.
func (c *cache[T]) put(x T) {
	x.reset()
	c.free = append(c.free, x)
}

// another creates one.
func (p *pool[T]) another(must bool) T {
	x := p.create()
	if must {
		p.budget.Force(x.size())
	} else if !p.budget.Reserve(x.size()) {
		var none T
		return none
	}
	return x
}

// force returns an empty one, for the flusher.
func (p *pool[T]) force() T {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return p.another(true)
	}
	x := p.free[last]
	clear(p.free[last:])
	p.free = p.free[:last]
	p.low = min(p.low, last)
	return x
}

func (p *pool[T]) moveTo(free []T) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := max(len(p.free)-p.batch, 0)
	free = append(free, p.free[keep:]...)
	clear(p.free[keep:])
	p.free = p.free[:keep]
	p.low = min(p.low, keep)
	return free
}

// put takes one back for all.
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
