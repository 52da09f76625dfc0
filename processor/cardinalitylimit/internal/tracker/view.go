package tracker

import (
	"math/bits"
	"sync/atomic"
)

// view is as much of a store as a sighting needs: who has been seen in the current
// generation. It is never changed; the words that it shares with its store are, by
// the holder of the lock and atomically. A rotation or a table of another size is
// another view.
//
// Whoever still reads an old one is told what held when they loaded it: a word is
// never one that was not a member's, and a member that is being moved is not found,
// which is answered under the lock.
type view struct {
	epoch int64
	words []uint64 // slots of fingerprints, or bits of the current filter

	shift  uint   // of fingerprints: the home slot is the high bits
	tag    uint64 // of the current generation
	hashes uint64 // of a filter; 0: fingerprints
	bits   uint64
}

// knows tells whether fp was seen in the generation of the view.
func (v *view) knows(fp uint64) bool {
	fp = strip(fp)
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
	at, step := walk(fp)
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
