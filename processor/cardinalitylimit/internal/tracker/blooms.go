package tracker

import (
	"github.com/bits-and-blooms/bloom/v3"
)

// blooms is a set of fingerprints in one Bloom filter a generation, the newest
// first. It has no false negatives; a stranger is taken for a member with at most
// the configured rate over all generations together, and then enters without
// being counted.
type blooms struct {
	generations []generation
	locations   []uint64 // scratch for one fingerprint
	bytes       int
	budget      *Budget
}

// generation counts the members it saw first hand, and how many of them a newer
// generation has seen since.
type generation struct {
	filter   *bloom.BloomFilter
	members  int
	promoted int
}

func (g *generation) only() int { return max(g.members-g.promoted, 0) }

var _ store = (*blooms)(nil)

// newBlooms sizes each generation for capacity members and an equal share of the
// false-positive rate.
func newBlooms(capacity, generations int, rate float64, budget *Budget) (*blooms, bool) {
	m, k := bloom.EstimateParameters(uint(capacity), rate/float64(generations))
	size := int((m+63)/64) * wordBytes * generations
	if !budget.Reserve(size) {
		return nil, false
	}
	b := &blooms{
		generations: make([]generation, generations),
		locations:   make([]uint64, max(k, 1)),
		bytes:       size,
		budget:      budget,
	}
	for i := range b.generations {
		b.generations[i].filter = bloom.New(m, k)
	}
	return b, true
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
	if b.generations[0].filter.TestLocations(at) {
		return current
	}
	for i := range b.generations[1:] {
		if b.generations[1+i].filter.TestLocations(at) {
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
		if b.generations[i].filter.TestLocations(at) {
			b.generations[i].promoted++
			break
		}
	}
	b.addTo(0, at)
}

func (b *blooms) addTo(i int, at []uint64) {
	g := &b.generations[i]
	bits, size := g.filter.BitSet(), uint64(g.filter.Cap())
	for _, l := range at {
		bits.Set(uint(l % size))
	}
	g.members++
}

// room is always there: the filters have their final size.
func (b *blooms) room() bool { return true }

func (b *blooms) rotate() (forgotten int) {
	last := len(b.generations) - 1
	oldest := b.generations[last]
	copy(b.generations[1:], b.generations[:last])
	forgotten = oldest.only()
	oldest.filter.ClearAll()
	b.generations[0] = generation{filter: oldest.filter}
	return forgotten
}

func (b *blooms) size() int {
	n := 0
	for i := range b.generations {
		n += b.generations[i].only()
	}
	return n
}

func (b *blooms) free() { b.budget.Release(b.bytes) }
