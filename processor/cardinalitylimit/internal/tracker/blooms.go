package tracker

import (
	"slices"

	"github.com/bits-and-blooms/bloom/v3"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// blooms is a set of fingerprints in one Bloom filter a generation, the newest
// first. It has no false negatives; a stranger is taken for a member with at most
// the configured rate over all generations together, and then enters without
// being counted.
type blooms struct {
	generations []generation
	keep        int     // generations that are remembered, the current one included
	capacity    int     // members that a filter to come is for, unless there are more
	rate        float64 // false positives of all generations together
	short       bool    // the current filter is smaller than it should be: the budget had no room
	budget      *budget.Budget
}

// generation counts the members it saw first hand, and how many of them a newer
// generation has seen since. Two filters are of one age where the first turned out
// to be too small: the limit was raised.
type generation struct {
	filter
	age      int // 0 is the current one
	members  int
	promoted int
}

func (g *generation) only() int { return max(g.members-g.promoted, 0) }

var _ store = (*blooms)(nil)

// newBlooms sizes each generation for capacity members and an equal share of the
// false-positive rate.
func newBlooms(capacity, generations int, rate float64, memory *budget.Budget) (*blooms, bool) {
	m, k := parameters(capacity, generations, rate)
	if !memory.Reserve(filterBytes(m) * generations) {
		return nil, false
	}
	b := &blooms{keep: generations, capacity: capacity, rate: rate, budget: memory}
	for age := range generations {
		b.generations = append(b.generations, generation{filter: newFilter(m, k), age: age})
	}
	return b, true
}

// minBits of a filter: with fewer, two walks that begin and step alike, of which there are bits^2, are a greater danger
// than the bits that others have set.
const minBits = 4096

func parameters(capacity, generations int, rate float64) (m, k uint) {
	m, k = bloom.EstimateParameters(uint(capacity), rate/float64(generations))
	return max(m, minBits), max(k, 1)
}

// parameters of a filter to come. Where the limit has been lowered there may be more
// members than places, and they stay: a filter too small for them is full of ones, and
// takes everybody for a member.
func (b *blooms) parameters() (m, k uint) {
	return parameters(max(b.capacity, b.size()), b.keep, b.rate)
}

// resize sizes the filters to come for another capacity. Where the current one is
// smaller, a second one takes the members from here on.
func (b *blooms) resize(capacity int) {
	b.capacity = capacity
	m, k := b.parameters()
	b.short = m > b.generations[0].Cap()
	if b.short && b.budget.Reserve(filterBytes(m)) {
		b.short = false
		b.generations = slices.Insert(b.generations, 0, generation{filter: newFilter(m, k)})
	}
}

func (b *blooms) view() view {
	f := &b.generations[0].filter
	return view{words: f.BitSet().Words(), hashes: uint64(f.K()), bits: uint64(f.Cap())}
}

func (b *blooms) lookup(fp uint64) state {
	fp = strip(fp) // all that is left of members that came from fingerprints
	for i := range b.generations {
		switch g := &b.generations[i]; {
		case !g.has(fp):
		case g.age == 0:
			return current
		default:
			return older
		}
	}
	return absent
}

func (b *blooms) add(fp uint64, known bool) {
	fp = strip(fp)
	if known {
		// The newest generation that knows fp counts the promotion: those before it
		// already have.
		for i := 1; i < len(b.generations); i++ {
			if g := &b.generations[i]; g.age > 0 && g.has(fp) {
				g.promoted++
				break
			}
		}
	}
	b.addTo(0, fp)
}

func (b *blooms) addTo(i int, fp uint64) {
	g := &b.generations[i]
	g.add(fp)
	g.members++
}

// room is always there, as the filters have their final size, but in one that is
// short: until half of its bits are set, which is what a filter is made for.
func (b *blooms) room() (fits, moved bool) {
	f := &b.generations[0].filter
	return !b.short || uint(f.ones)*2 < f.Cap(), false
}

func (b *blooms) rotate() (lost lostSet) {
	b.generations = slices.DeleteFunc(b.generations, func(g generation) bool {
		if g.age+1 < b.keep {
			return false
		}
		lost.members += g.only()
		lost.filters = append(lost.filters, g.filter)
		return true
	})
	for i := range b.generations {
		b.generations[i].age++
	}
	b.generations = slices.Insert(b.generations, 0, generation{filter: b.renew(lost.filters)})
	return lost
}

// fresh counts the current generation in all its filters.
func (b *blooms) fresh() (n int) {
	for i := range b.generations {
		if b.generations[i].age == 0 {
			n += b.generations[i].members
		}
	}
	return n
}

// renew returns an empty filter of the size that is wanted, or of that of the first
// of those that are free where the budget has no room for it. Those are given up and
// not used again: a view may still be reading them.
func (b *blooms) renew(free []filter) filter {
	freed := 0
	for i := range free {
		freed += filterBytes(free[i].Cap())
	}
	m, k := b.parameters()
	grow := filterBytes(m) - freed
	b.short = false
	if grow > 0 && b.budget.Reserve(grow) {
		return newFilter(m, k)
	}
	if grow > 0 {
		b.short = true
		m, k = free[0].Cap(), free[0].K()
		grow = filterBytes(m) - freed
	}
	b.budget.Release(-grow)
	return newFilter(m, k)
}

func (b *blooms) size() int {
	n := 0
	for i := range b.generations {
		n += b.generations[i].only()
	}
	return n
}

// bytes is the size of all filters.
func (b *blooms) bytes() (n int) {
	for i := range b.generations {
		n += filterBytes(b.generations[i].Cap())
	}
	return n
}

func (b *blooms) free() { b.budget.Release(b.bytes()) }
