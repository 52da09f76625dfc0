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
	ones int // bits that are set
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
func (f *filter) add(fp uint64) {
	words := f.BitSet().Words()
	at, step := walk(fp)
	for range f.K() {
		i := f.bit(at)
		w, one := &words[i/wordBits], uint64(1)<<(i%wordBits)
		if *w&one == 0 {
			atomic.StoreUint64(w, *w|one)
			f.ones++
		}
		at += step
	}
}
