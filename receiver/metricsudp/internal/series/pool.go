package series

import (
	"sync"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// pool keeps empty items, such as histograms, for reuse. So a series needs the memory of a histogram only while it has values.
// Readers and the flusher use the same pool. All items of a pool have the same configuration. A pool is safe for concurrent
// use. A reader moves several items at once to its cache, so that the mutex costs little.
type pool[T sized] struct {
	budget    *budget.Budget
	create    func() T
	moveItems int        // items that a reader moves at once
	caches    []cache[T] // of the readers, by the index of their table

	mu   sync.Mutex // guards everything declared below
	free []T
	low  int // least number of free items since the last trim
}

// sized is an item of a pool.
type sized interface {
	comparable
	size() int // in bytes
	reset()
}

// maxMoveItems and maxMoveBytes bound the items that a reader moves at once. Other readers cannot use these items.
const (
	maxMoveItems = 32
	maxMoveBytes = 64 << 10
)

func newPool[T sized](b *budget.Budget, tables int, create func() T) *pool[T] {
	p := &pool[T]{budget: b, create: create, caches: make([]cache[T], tables)}
	p.moveItems = min(max(maxMoveBytes/create().size(), 1), maxMoveItems)
	for i := range p.caches {
		p.caches[i].pool = p
	}
	return p
}

// cache has the items that one reader has moved from a pool.
type cache[T sized] struct {
	pool *pool[T]
	free []T
	_    [96]byte // padding: readers must not write to each other's cache lines
}

// get returns an empty item. It is the zero T if no item is free and the account does not pay for a new one.
func (c *cache[T]) get(payer account) T {
	if len(c.free) == 0 {
		c.free = c.pool.moveTo(c.free)
	}
	if last := len(c.free) - 1; last >= 0 {
		x := c.free[last]
		c.free = c.free[:last]
		return x
	}
	return c.pool.newItem(payer)
}

// put returns an item to the cache of the same reader.
func (c *cache[T]) put(x T) {
	x.reset()
	c.free = append(c.free, x)
}

// newItem creates an item, or returns the zero T if the account does not pay for it.
func (p *pool[T]) newItem(payer account) T {
	x := p.create()
	if !payer.pay(x.size()) {
		var none T
		return none
	}
	return x
}

// get returns an empty item to the flusher, beyond the budget if necessary.
func (p *pool[T]) get() T {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return p.newItem(account{p.budget, true})
	}
	x := p.free[last]
	clear(p.free[last:])
	p.free = p.free[:last]
	p.low = min(p.low, last)
	return x
}

// moveTo moves free items to the list of a cache.
func (p *pool[T]) moveTo(free []T) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := max(len(p.free)-p.moveItems, 0)
	free = append(free, p.free[keep:]...)
	clear(p.free[keep:])
	p.free = p.free[:keep]
	p.low = min(p.low, keep)
	return free
}

// put returns an item to the pool.
func (p *pool[T]) put(x T) {
	x.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, x)
}

// trim releases half of the items that stayed free since the last trim.
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
