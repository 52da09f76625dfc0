package tracker

import (
	"math/bits"
	"sync/atomic"
)

// view is the part of a store that Known reads: the members seen in the current generation. A view itself never changes.
// It shares its words with the store, which changes them atomically and under the caller's lock. A rotation and a table of
// another size make a new view.
//
// A reader with an old view sees a consistent past state, because every word is or was that of a member. A reader may miss
// a member while the store moves it. Then Known returns false, and the caller decides under the lock.
type view struct {
	generation int64
	words      []uint64 // slots of fingerprints, or words of the current Bloom filter

	shift  uint   // of fingerprints: the high bits of a fingerprint, shifted right by shift, are its home slot
	tag    uint64 // of fingerprints: the tag of the current generation
	hashes uint64 // of a filter: number of hashes; 0 means fingerprints
	bits   uint64 // of a filter: its size
}

// knows reports whether fp was seen in the generation of the view.
func (v *view) knows(fp uint64) bool {
	fp = StoredBits(fp)
	if v.hashes > 0 {
		return v.hasBits(fp)
	}
	mask := uint64(len(v.words) - 1)
	for i := fp >> v.shift; ; i = (i + 1) & mask {
		switch slot := atomic.LoadUint64(&v.words[i]); slot {
		case fp | v.tag:
			return true
		case 0:
			return false
		}
	}
}

func (v *view) hasBits(fp uint64) bool {
	at, step := firstLocation(fp)
	words := v.words
	for range v.hashes {
		i, _ := bits.Mul64(at, v.bits)
		if atomic.LoadUint64(&words[i/wordBits])>>(i%wordBits)&1 == 0 {
			return false
		}
		at += step
	}
	return true
}
