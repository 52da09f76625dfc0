package limit

import (
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
)

// knownSeries remembers streams whose series every limit knows in a generation. So most points need one look instead of one per limit.
// An identity contains the generation and the keys of the limits. So it is never wrong later: a known series keeps its places for at
// least a generation, whatever happens to the limits. It is safe for concurrent use, except adapt, which must have one caller.
//
// Its memory has a bound of its own, so that it never uses the room of a place.
type knownSeries struct {
	sets  atomic.Pointer[[]knownSet] // a power of two; nil: nothing is remembered
	added atomic.Int64               // since the last call of adapt
	since int64                      // first generation that may have sets; used by adapt
}

// knownSet contains the identities with one hash. It has the size of a cache line.
type knownSet [8]atomic.Uint64

const (
	minKnownSets = 1 << 8  // 16 KiB
	maxKnownSets = 1 << 14 // 1 MiB
)

// adapt makes room for twice the identities that were added since the last call. New sets are empty. Each stream enters again with its
// next point. If the largest sets are too small they only cost time, so there are none until the next generation.
func (k *knownSeries) adapt(generation int64) {
	added := k.added.Swap(0)
	sets := k.sets.Load()
	switch {
	case sets == nil && generation < k.since:
	case sets == nil:
		k.resize(minKnownSets)
	case added > roomOf(maxKnownSets):
		k.since = generation + 1
		k.sets.Store(nil)
	default:
		n := len(*sets)
		for n < maxKnownSets && roomOf(n) < 2*added {
			n <<= 1
		}
		if n > len(*sets) {
			k.resize(n)
		}
	}
}

func roomOf(sets int) int64 { return int64(sets * len(knownSet{})) }

func (k *knownSeries) resize(n int) {
	sets := make([]knownSet, n)
	k.sets.Store(&sets)
}

// has reports whether id was added. Ids are hashes. A stranger has the id of a known series with a probability of at most 2^-47: eight
// identities in a set, which share up to 14 of their 64 bits.
func (k *knownSeries) has(id uint64) bool {
	sets := k.sets.Load()
	if sets == nil {
		return false
	}
	set := setOf(*sets, id)
	for i := range set {
		if set[i].Load() == id {
			return true
		}
	}
	return false
}

// add adds id in a free place of its set, or in a random one.
func (k *knownSeries) add(id uint64) {
	sets := k.sets.Load()
	if sets == nil {
		return
	}
	k.added.Add(1)
	set := setOf(*sets, id)
	for i := range set {
		if set[i].Load() == 0 {
			set[i].Store(id)
			return
		}
	}
	set[rand.IntN(len(set))].Store(id) // most are of earlier generations; two that replaced each other always would not stay
}

func setOf(sets []knownSet, id uint64) *knownSet {
	at, _ := bits.Mul64(id, uint64(len(sets)))
	return &sets[at]
}
