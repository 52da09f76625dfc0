// Package unique counts distinct members of a set from their 64-bit hashes. Up to a limit the count is exact, beyond it the
// estimate of a HyperLogLog of fixed size.
//
// An exact count is wrong only if two hashes collide. For 1,024 members the probability is 1024^2 / 2^65 = 3e-14.
package unique

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/hll"
)

// precision is that of the sketch. It needs 4 KiB and has a standard error of 1.6 %.
const precision = 12

// Counter counts distinct hashes. It is not safe for concurrent use.
type Counter struct {
	limit  int
	slots  []uint64    // open-addressed hash table, length is a power of two; 0 marks an empty slot
	n      int         // number of occupied slots
	zero   bool        // whether hash 0 was added
	sketch *hll.Sketch // nil until the members exceed the limit
	dense  bool        // whether the sketch contains the members; slots is empty then
}

// minSlots is the initial number of slots, which fill two cache lines.
const minSlots = 16

// New returns a counter that is exact up to limit members.
func New(limit int) *Counter { return &Counter{limit: limit} }

// Add counts a member by its hash. It allocates only while the counter grows.
func (c *Counter) Add(hash uint64) {
	if c.dense {
		c.sketch.Add(hash)
		return
	}
	if hash == 0 {
		c.zero = true
	} else if !c.insert(hash) {
		return
	}
	if c.members() > c.limit {
		c.densify()
	}
}

// Merge adds the members of o. It does not change o.
func (c *Counter) Merge(o *Counter) {
	if o.dense {
		c.densify()
		c.sketch.Merge(o.sketch)
		return
	}
	if o.zero {
		c.Add(0)
	}
	for _, hash := range o.slots {
		if hash != 0 {
			c.Add(hash)
		}
	}
}

// Count returns the number of members. Beyond the limit it is an estimate with the error of the sketch.
func (c *Counter) Count() uint64 {
	if c.dense {
		return uint64(math.Round(hll.Estimate(c.sketch)))
	}
	return uint64(c.members())
}

// Bytes returns the memory of the members, in bytes. Reset keeps this memory.
func (c *Counter) Bytes() int {
	bytes := 8 * cap(c.slots)
	if c.sketch != nil {
		bytes += hll.Bytes(precision)
	}
	return bytes
}

// Growth returns the greatest number of bytes by which the next Add may grow the counter.
func (c *Counter) Growth() int {
	if c.dense {
		return 0
	}
	growth := 0
	if 4*c.n >= 3*len(c.slots) {
		growth = 8 * (max(2*len(c.slots), minSlots) - len(c.slots))
	}
	if c.sketch == nil && c.members() >= c.limit {
		growth += hll.Bytes(precision)
	}
	return growth
}

// Reset empties the counter and keeps its memory.
func (c *Counter) Reset() {
	clear(c.slots)
	c.n, c.zero = 0, false
	if c.dense {
		c.dense = false
		c.sketch.Reset()
	}
}

func (c *Counter) members() int {
	if c.zero {
		return c.n + 1
	}
	return c.n
}

// insert adds a hash, which must not be 0. It reports whether the hash is new.
func (c *Counter) insert(hash uint64) bool {
	if 4*c.n >= 3*len(c.slots) {
		c.grow()
	}
	mask := uint64(len(c.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch c.slots[i] {
		case hash:
			return false
		case 0:
			c.slots[i] = hash
			c.n++
			return true
		}
	}
}

func (c *Counter) grow() {
	old := c.slots
	c.slots = make([]uint64, max(2*len(old), minSlots))
	c.n = 0
	for _, hash := range old {
		if hash != 0 {
			c.insert(hash)
		}
	}
}

// densify moves the members to the sketch.
func (c *Counter) densify() {
	if c.dense {
		return
	}
	if c.sketch == nil {
		c.sketch = hll.New(precision)
	}
	if c.zero {
		c.sketch.Add(0)
	}
	for _, hash := range c.slots {
		if hash != 0 {
			c.sketch.Add(hash)
		}
	}
	clear(c.slots)
	c.n, c.zero, c.dense = 0, false, true
}
