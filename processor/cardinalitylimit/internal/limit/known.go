package limit

import (
	"math/bits"
	"math/rand/v2"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// knownSeries remembers series that every limit knows in a generation. So most points need one look instead of one per limit. An
// identity contains the generation and the keys of the limits. So it is never wrong later: a known series keeps its places for at least
// a generation, whatever happens to the limits. It is safe for concurrent use, except resize, which must have one caller.
type knownSeries struct {
	budget *budget.Budget
	sets   atomic.Pointer[[]knownSet] // a power of two; nil: nothing is remembered
}

// knownSet contains the identities with one hash. It has the size of a cache line.
type knownSet [8]atomic.Uint64

const (
	knownSetBytes = 64
	minKnownSets  = 1 << 8  // 16 KiB
	maxKnownSets  = 1 << 17 // 8 MiB
)

// resize makes room for twice as many series. Without memory nothing changes. New sets are empty. Each series enters again with its next
// point.
func (k *knownSeries) resize(series int64) {
	n := minKnownSets
	for n < maxKnownSets && int64(n*len(knownSet{})) < 2*series {
		n <<= 1
	}
	old := 0
	if sets := k.sets.Load(); sets != nil {
		old = len(*sets)
	}
	if n <= old && 4*n > old || !k.budget.Reserve(n*knownSetBytes) {
		return
	}
	k.budget.Release(old * knownSetBytes)
	sets := make([]knownSet, n)
	k.sets.Store(&sets)
}

// has reports whether id was added. Ids are hashes. A stranger has the id of a known series with a probability below 2^-55.
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
