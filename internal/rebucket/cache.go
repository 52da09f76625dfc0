package rebucket

import "sync"

// Cache keeps the values built last for the keys used last, at most size of them.
// It is safe for concurrent use; two callers may build the same value at once.
type Cache[V any] struct {
	size int

	mu      sync.Mutex
	entries map[string]*entry[V]
	ring    entry[V] // next is the last used, prev the least recently used
}

type entry[V any] struct {
	key        string
	value      V
	next, prev *entry[V]
}

// NewCache returns an empty cache; size below 1 becomes 1.
func NewCache[V any](size int) *Cache[V] {
	c := &Cache[V]{size: max(size, 1), entries: map[string]*entry[V]{}}
	c.ring.next, c.ring.prev = &c.ring, &c.ring
	return c
}

// Get returns the value of key, building it if there is none. A hit does not
// allocate, and key is not kept.
func (c *Cache[V]) Get(key []byte, build func() V) V {
	c.mu.Lock()
	if e, ok := c.entries[string(key)]; ok {
		e.unlink()
		e.linkAfter(&c.ring)
		c.mu.Unlock()
		return e.value // set before the entry was published, never after
	}
	c.mu.Unlock()

	value := build() // outside the lock: others need not wait for it

	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[string(key)]; ok {
		return e.value
	}
	if len(c.entries) >= c.size {
		oldest := c.ring.prev
		oldest.unlink()
		delete(c.entries, oldest.key)
	}
	e := &entry[V]{key: string(key), value: value}
	c.entries[e.key] = e
	e.linkAfter(&c.ring)
	return value
}

// Len returns the number of values kept.
func (c *Cache[V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

func (e *entry[V]) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}

func (e *entry[V]) linkAfter(at *entry[V]) {
	e.prev, e.next = at, at.next
	e.prev.next, e.next.prev = e, e
}
