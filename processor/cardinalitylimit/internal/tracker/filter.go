package tracker

import (
	"math/bits"
	"sync/atomic"

	"github.com/bits-and-blooms/bloom/v3"
)

// filter is the library's Bloom filter with locations of our own. The fingerprint is already a hash, and readers without a
// lock need atomic words.
//
// A location is a 64-bit number. Its bit is the high half of location times size (Lemire: Fast Random Integer Generation in
// an Interval). A division would cost several times as much, and at the defaults each lookup needs 15 locations.
type filter struct {
	*bloom.BloomFilter
	ones int // number of set bits
}

const wordBits = 64

func newFilter(m, k uint) filter { return filter{BloomFilter: bloom.New(m, k)} }

func filterBytes(m uint) int { return int((m+wordBits-1)/wordBits) * wordBytes }

// firstLocation returns the first location of a fingerprint and the step to each further one. This is double hashing
// (Kirsch, Mitzenmacher: Less Hashing, Same Performance).
func firstLocation(fp uint64) (at, step uint64) {
	step = fp*0x9e3779b97f4a7c15>>32 | 1
	return fp, step<<32 | step
}

func (f *filter) bit(location uint64) uint64 {
	i, _ := bits.Mul64(location, uint64(f.Cap()))
	return i
}

// has reports whether all bits of fp are set. The caller holds the lock.
func (f *filter) has(fp uint64) bool {
	words := f.BitSet().Words()
	at, step := firstLocation(fp)
	for range f.K() {
		i := f.bit(at)
		if words[i/wordBits]>>(i%wordBits)&1 == 0 {
			return false
		}
		at += step
	}
	return true
}

// add sets the bits of fp. The caller holds the lock. Readers of a view read the words at the same time.
func (f *filter) add(fp uint64) {
	words := f.BitSet().Words()
	at, step := firstLocation(fp)
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
