package tracker

import (
	"slices"

	"github.com/bits-and-blooms/bloom/v3"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// blooms is a set of fingerprints with one Bloom filter per generation. It has no false negatives. False positives are
// strangers that look like members. They occur with at most the configured rate over all generations together. Such a
// stranger passes and is not counted as a member.
type blooms struct {
	filters    []generationFilter // the newest first
	keep       int                // remembered generations, including the current one
	capacity   int                // members for which the next filter is sized, unless there are more
	rate       float64            // false positives of all generations together
	undersized bool               // the current filter is smaller than it should be, because the budget had no memory
	budget     *budget.Budget
}

// generationFilter is a filter of a generation. A generation has a second filter after SetLimit raised the limit beyond the size
// of its first one.
type generationFilter struct {
	filter
	age      int // 0: the current generation
	members  int // added to this filter
	promoted int // members that a newer generation has seen since
}

// unpromoted is the number of members that no newer generation has seen.
func (g *generationFilter) unpromoted() int { return max(g.members-g.promoted, 0) }

var _ store = (*blooms)(nil)

// newBlooms sizes the filter of each generation for capacity members and an equal share of the false-positive rate.
func newBlooms(capacity, generations int, rate float64, memory *budget.Budget) (*blooms, bool) {
	m, k := parameters(capacity, generations, rate)
	if !memory.Reserve(filterBytes(m) * generations) {
		return nil, false
	}
	b := &blooms{keep: generations, capacity: capacity, rate: rate, budget: memory}
	for age := range generations {
		b.filters = append(b.filters, generationFilter{filter: newFilter(m, k), age: age})
	}
	return b, true
}

// minBits is the minimum size of a filter. Two fingerprints with the same first bit and the same step share all their bits.
// There are only bits^2 such combinations. In a smaller filter they would cause more false positives than the bits that
// other members have set.
const minBits = 4096

func parameters(capacity, generations int, rate float64) (m, k uint) {
	m, k = bloom.EstimateParameters(uint(capacity), rate/float64(generations))
	return max(m, minBits), max(k, 1)
}

// parameters returns the size and the number of hashes of the next filter. After the limit was lowered there may be more
// members than places, and they stay. In a filter that is too small for them nearly all bits would be set, so that every
// stranger would look like a member.
func (b *blooms) parameters() (m, k uint) {
	return parameters(max(b.capacity, b.size()), b.keep, b.rate)
}

// resize changes the capacity of the next filters. If the current filter is too small for it, resize adds a second filter,
// to which new members are added.
func (b *blooms) resize(capacity int) {
	b.capacity = capacity
	m, k := b.parameters()
	b.undersized = m > b.filters[0].Cap()
	if b.undersized && b.budget.Reserve(filterBytes(m)) {
		b.undersized = false
		b.filters = slices.Insert(b.filters, 0, generationFilter{filter: newFilter(m, k)})
	}
}

func (b *blooms) view() view {
	f := &b.filters[0].filter
	return view{words: f.BitSet().Words(), hashes: uint64(f.K()), bits: uint64(f.Cap())}
}

func (b *blooms) lookup(fp uint64) state {
	fp = StoredBits(fp) // members that were fingerprints before have only these bits
	for i := range b.filters {
		switch g := &b.filters[i]; {
		case !g.has(fp):
		case g.age == 0:
			return current
		default:
			return older
		}
	}
	return absent
}

func (b *blooms) add(fp uint64, member bool) {
	fp = StoredBits(fp)
	if member {
		// The newest older generation with fp counts the promotion. The generations before it counted theirs earlier.
		for i := 1; i < len(b.filters); i++ {
			if g := &b.filters[i]; g.age > 0 && g.has(fp) {
				g.promoted++
				break
			}
		}
	}
	b.addTo(0, fp)
}

func (b *blooms) addTo(i int, fp uint64) {
	g := &b.filters[i]
	g.add(fp)
	g.members++
}

// makeRoom reports whether the current filter accepts one more member. A filter has its final size from the start, so it
// always accepts one, unless it is undersized. An undersized filter accepts members until half of its bits are set, which
// is the load that a filter is sized for.
func (b *blooms) makeRoom() (fits, moved bool) {
	f := &b.filters[0].filter
	return !b.undersized || uint(f.ones)*2 < f.Cap(), false
}

func (b *blooms) rotate() (lost lostSet) {
	b.filters = slices.DeleteFunc(b.filters, func(g generationFilter) bool {
		if g.age+1 < b.keep {
			return false
		}
		lost.members += g.unpromoted()
		lost.filters = append(lost.filters, g.filter)
		return true
	})
	for i := range b.filters {
		b.filters[i].age++
	}
	b.filters = slices.Insert(b.filters, 0, generationFilter{filter: b.nextFilter(lost.filters)})
	return lost
}

// currentSize adds up all filters of the current generation.
func (b *blooms) currentSize() (n int) {
	for i := range b.filters {
		if b.filters[i].age == 0 {
			n += b.filters[i].members
		}
	}
	return n
}

// nextFilter returns an empty filter and releases the memory of the expired ones. If the budget has no memory for the size
// that the members need, the filter has the size of the first expired one. The expired filters are not reused, because a
// reader of a view may still read them.
func (b *blooms) nextFilter(expired []filter) filter {
	freed := 0
	for i := range expired {
		freed += filterBytes(expired[i].Cap())
	}
	m, k := b.parameters()
	grow := filterBytes(m) - freed
	b.undersized = false
	if grow > 0 && b.budget.Reserve(grow) {
		return newFilter(m, k)
	}
	if grow > 0 {
		b.undersized = true
		m, k = expired[0].Cap(), expired[0].K()
		grow = filterBytes(m) - freed
	}
	b.budget.Release(-grow)
	return newFilter(m, k)
}

func (b *blooms) size() int {
	n := 0
	for i := range b.filters {
		n += b.filters[i].unpromoted()
	}
	return n
}

// bytes is the size of all filters.
func (b *blooms) bytes() (n int) {
	for i := range b.filters {
		n += filterBytes(b.filters[i].Cap())
	}
	return n
}

func (b *blooms) free() { b.budget.Release(b.bytes()) }
