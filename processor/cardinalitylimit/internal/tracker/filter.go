package tracker

import (
	"math/bits"
	"sync/atomic"

	"github.com/bits-and-blooms/bloom/v3"
)

// filter is a Bloom filter of the library's, addressed by us: the fingerprint is a
// hash already, and readers without a lock need the words to be atomic.
//
// A location in 64 bits becomes a bit of the filter by a multiplication, the high
// half of location times size (Lemire: Fast Random Integer Generation in an
// Interval). A division costs several times that, and at the defaults there is one
// for each of 15 hashes.
type filter struct {
	*bloom.BloomFilter
	ones   int // bits that are set
	shared int // those of them that are set in the filter before it too, where comparable
}

const wordBits = 64

func newFilter(m, k uint) filter { return filter{BloomFilter: bloom.New(m, k)} }

func filterBytes(m uint) int { return int((m+wordBits-1)/wordBits) * wordBytes }

// walk gives the first location of a fingerprint and the step to the next: double
// hashing (Kirsch, Mitzenmacher: Less Hashing, Same Performance).
func walk(fp uint64) (at, step uint64) {
	step = fp*0x9e3779b97f4a7c15>>32 | 1
	return fp, step<<32 | step
}

func (f *filter) bit(location uint64) uint64 {
	i, _ := bits.Mul64(location, uint64(f.Cap()))
	return i
}

// has tells whether all bits of fp are set. The lock is held.
func (f *filter) has(fp uint64) bool {
	words := f.BitSet().Words()
	at, step := walk(fp)
	for range f.K() {
		i := f.bit(at)
		if words[i/wordBits]>>(i%wordBits)&1 == 0 {
			return false
		}
		at += step
	}
	return true
}

// add sets the bits of fp. The lock is held; readers of a view are not kept out.
// Before, which may be nil, is the filter that was the current one until this was.
func (f *filter) add(fp uint64, before *filter) {
	words, old := f.BitSet().Words(), []uint64(nil)
	if f.comparable(before) {
		old = before.BitSet().Words()
	}
	at, step := walk(fp)
	for range f.K() {
		i := f.bit(at)
		w, one := &words[i/wordBits], uint64(1)<<(i%wordBits)
		if *w&one == 0 {
			atomic.StoreUint64(w, *w|one)
			f.ones++
			if old != nil && old[i/wordBits]&one != 0 {
				f.shared++
			}
		}
		at += step
	}
}

// count counts the bits of a filter that was read.
func (f *filter) count(before *filter) {
	f.ones = int(f.BitSet().Count())
	if f.comparable(before) {
		f.shared = int(f.BitSet().IntersectionCardinality(before.BitSet()))
	}
}

// comparable tells whether a fingerprint has the same bits in both.
func (f *filter) comparable(before *filter) bool {
	return before != nil && f.Cap() == before.Cap() && f.K() == before.K()
}

// rate is the chance that a stranger is taken for a member of f as full as it is, and
// not for one of the filter before it. The incumbents of two generations are mostly
// the same: so are their bits, and those who are taken for them.
func (f *filter) rate(before *filter) float64 {
	all := f.power(float64(f.ones) / float64(f.Cap()))
	switch {
	case before == nil:
		return all
	case f.comparable(before):
		return all - f.power(float64(f.shared)/float64(f.Cap()))
	default:
		return all * (1 - before.power(float64(before.ones)/float64(before.Cap())))
	}
}

// power is the chance that all bits of a fingerprint are among a share of the filter's.
func (f *filter) power(share float64) float64 {
	p := 1.0
	for range f.K() {
		p *= share
	}
	return p
}
