package rebucket

import "sync"

// Cache is a least-recently-used cache of at most size values. It is safe for concurrent use. Two callers that miss the
// same key at once may both build its value.
//
// The keys are byte slices: a look-up by m[string(key)] does not allocate. A cache with keys of a type parameter, such as
// golang-lru, would have to convert each key to a string first.
type Cache[V any] struct {
	size int

	mu      sync.Mutex
	entries map[string]*entry[V]
	ring    entry[V] // the ring's root: next is the most recently used entry, prev the least recently used one
}

type entry[V any] struct {
	key        string
	value      V
	next, prev *entry[V]
}

// NewCache returns an empty cache. A size below 1 becomes 1.
func NewCache[V any](size int) *Cache[V] {
	c := &Cache[V]{size: max(size, 1), entries: map[string]*entry[V]{}}
	c.ring.next, c.ring.prev = &c.ring, &c.ring
	return c
}

// Get returns the value of key. If the cache has none, it calls build and adds the result. A hit does not allocate, and
// the caller may reuse key afterwards.
func (c *Cache[V]) Get(key []byte, build func() V) V {
	c.mu.Lock()
	if e, ok := c.entries[string(key)]; ok {
		e.unlink()
		e.linkAfter(&c.ring)
		c.mu.Unlock()
		return e.value // it never changes after the entry is added
	}
	c.mu.Unlock()

	value := build() // without the lock, so that other callers do not wait

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

// Len returns the number of cached values.
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
