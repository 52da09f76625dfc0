package tracker

import (
	"slices"

	"github.com/bits-and-blooms/bloom/v3"
)

// blooms is a set of fingerprints in one Bloom filter a generation, the newest
// first. It has no false negatives; a stranger is taken for a member with at most
// the configured rate over all generations together, and then enters without
// being counted.
type blooms struct {
	generations []generation
	keep        int      // generations that are remembered, the current one included
	want        [2]uint  // bits and hashes of a filter to come
	locations   []uint64 // scratch for one fingerprint, for the most hashes of a filter
	budget      *Budget
}

// generation counts the members it saw first hand, and how many of them a newer
// generation has seen since. Two filters are of one age where the first turned out
// to be too small: the limit was raised.
type generation struct {
	filter   *bloom.BloomFilter
	age      int // 0 is the current one
	members  int
	promoted int
}

func (g *generation) only() int { return max(g.members-g.promoted, 0) }

func (g *generation) has(locations []uint64) bool {
	return g.filter.TestLocations(locations[:g.filter.K()])
}

func filterBytes(m uint) int { return int((m+63)/64) * wordBytes }

var _ store = (*blooms)(nil)

// newBlooms sizes each generation for capacity members and an equal share of the
// false-positive rate.
func newBlooms(capacity, generations int, rate float64, budget *Budget) (*blooms, bool) {
	m, k := parameters(capacity, generations, rate)
	if !budget.Reserve(filterBytes(m) * generations) {
		return nil, false
	}
	b := &blooms{keep: generations, want: [2]uint{m, k}, budget: budget}
	for age := range generations {
		b.generations = append(b.generations, generation{filter: bloom.New(m, k), age: age})
	}
	b.prepare()
	return b, true
}

func parameters(capacity, generations int, rate float64) (m, k uint) {
	m, k = bloom.EstimateParameters(uint(capacity), rate/float64(generations))
	return max(m, 1), max(k, 1)
}

// prepare makes room for the locations of all filters.
func (b *blooms) prepare() {
	most := max(b.want[1], 1)
	for i := range b.generations {
		most = max(most, b.generations[i].filter.K())
	}
	b.locations = make([]uint64, most)
}

// resize sizes the filters to come for another capacity. Where the current one is
// smaller, a second one takes the members from here on.
func (b *blooms) resize(capacity int, rate float64) {
	m, k := parameters(capacity, b.keep, rate)
	b.want = [2]uint{m, k}
	if m > b.generations[0].filter.Cap() && b.budget.Reserve(filterBytes(m)) {
		b.generations = slices.Insert(b.generations, 0, generation{filter: bloom.New(m, k)})
	}
	b.prepare()
}

// locate derives the bit positions from the fingerprint by double hashing
// (Kirsch, Mitzenmacher: Less Hashing, Same Performance): the filter need not hash
// again. The filter reduces them modulo its size.
func (b *blooms) locate(fp uint64) []uint64 {
	fp = strip(fp) // all that is left of members that came from fingerprints
	step := fp*0x9e3779b97f4a7c15>>32 | 1
	position := fp
	for i := range b.locations {
		b.locations[i] = position
		position += step<<32 | step
	}
	return b.locations
}

func (b *blooms) lookup(fp uint64) state {
	at := b.locate(fp)
	for i := range b.generations {
		switch g := &b.generations[i]; {
		case !g.has(at):
		case g.age == 0:
			return current
		default:
			return older
		}
	}
	return absent
}

func (b *blooms) add(fp uint64) {
	at := b.locate(fp)
	// The newest generation that knows fp counts the promotion: those before it
	// already have.
	for i := 1; i < len(b.generations); i++ {
		if g := &b.generations[i]; g.age > 0 && g.has(at) {
			g.promoted++
			break
		}
	}
	b.addTo(0, at)
}

func (b *blooms) addTo(i int, at []uint64) {
	g := &b.generations[i]
	bits, size := g.filter.BitSet(), uint64(g.filter.Cap())
	for _, l := range at[:g.filter.K()] {
		bits.Set(uint(l % size))
	}
	g.members++
}

// room is always there: the filters have their final size.
func (b *blooms) room() bool { return true }

func (b *blooms) rotate() (forgotten int) {
	var free []*bloom.BloomFilter
	b.generations = slices.DeleteFunc(b.generations, func(g generation) bool {
		if g.age+1 < b.keep {
			return false
		}
		forgotten += g.only()
		free = append(free, g.filter)
		return true
	})
	for i := range b.generations {
		b.generations[i].age++
	}
	b.generations = slices.Insert(b.generations, 0, generation{filter: b.recycle(free)})
	return forgotten
}

// recycle returns an empty filter of the size that is wanted, or the first of those
// that are free where the budget has no room for it. It gives the others back.
func (b *blooms) recycle(free []*bloom.BloomFilter) *bloom.BloomFilter {
	m, k := b.want[0], b.want[1]
	var fits *bloom.BloomFilter
	for _, f := range free {
		if fits == nil && f.Cap() == m && f.K() == k {
			fits = f
		} else {
			b.budget.Release(filterBytes(f.Cap()))
		}
	}
	switch {
	case fits != nil:
	case b.budget.Reserve(filterBytes(m)):
		return bloom.New(m, k)
	default:
		fits = free[0]
		_ = b.budget.Reserve(filterBytes(fits.Cap())) // it has just been given back
	}
	fits.ClearAll()
	return fits
}

func (b *blooms) size() int {
	n := 0
	for i := range b.generations {
		n += b.generations[i].only()
	}
	return n
}

// bytes is what all filters take.
func (b *blooms) bytes() (n int) {
	for i := range b.generations {
		n += filterBytes(b.generations[i].filter.Cap())
	}
	return n
}

func (b *blooms) free() { b.budget.Release(b.bytes()) }
