package offenders

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// sampleSize is how many distinct series a sample holds. An offender with a tenth of all that found no place has 102 of
// them, give or take 10; one with a hundredth is in it but for a chance of 3e-5.
const sampleSize = 1024

// sample is a uniform one of the distinct series that were offered: those with the lowest hashes, each with whose it is.
//
// Bar-Yossef, Jayram, Kumar, Sivakumar, Trevisan: Counting distinct elements in a data stream (2002), algorithm 2;
// Cohen, Kaplan: Summarizing data using bottom-k sketches (2007).
//
// Safe for concurrent use. A series that is not among the lowest costs one load, which is nearly all of them.
type sample struct {
	threshold atomic.Uint64 // hashes from it on are not taken

	mu     sync.Mutex
	lowest []claim        // sorted
	owned  map[uint64]int // number of each owner's
}

// claim is a series of the sample and whose it is.
type claim struct{ hash, owner uint64 }

// sampleBytes is what a sample uses: its claims, and their number for each owner.
const sampleBytes = sampleSize * (16 + 32)

func newSample() *sample {
	s := &sample{lowest: make([]claim, 0, sampleSize), owned: make(map[uint64]int)}
	s.reset()
	return s
}

func (s *sample) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lowest = s.lowest[:0]
	clear(s.owned)
	s.threshold.Store(1<<64 - 1)
}

// add offers a series and returns how many its owner has in the sample, or 0 where that did not change.
func (s *sample) add(hash, owner uint64) (owned int) {
	if hash >= s.threshold.Load() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := slices.BinarySearchFunc(s.lowest, hash, func(c claim, hash uint64) int { return cmp.Compare(c.hash, hash) })
	if known || hash >= s.threshold.Load() {
		return 0
	}
	if len(s.lowest) == sampleSize { // the highest makes room
		s.disown(s.lowest[sampleSize-1].owner)
		s.lowest = s.lowest[:sampleSize-1]
	}
	s.lowest = slices.Insert(s.lowest, i, claim{hash, owner})
	s.owned[owner]++
	if len(s.lowest) == sampleSize {
		s.threshold.Store(s.lowest[sampleSize-1].hash)
	}
	return s.owned[owner]
}

func (s *sample) disown(owner uint64) {
	if s.owned[owner]--; s.owned[owner] == 0 {
		delete(s.owned, owner)
	}
}

// count is how many series an owner has in the sample.
func (s *sample) count(owner uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned[owner]
}

// shares adds to counts how many distinct series of each offender there were, as far as the sample tells.
func (s *sample) shares(counts map[uint64]float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	each := 1.0
	if len(s.lowest) == sampleSize {
		// The k-th lowest of n uniform hashes is at k/n of their range.
		each = (1 << 63) * 2 / float64(s.lowest[sampleSize-1].hash)
	}
	for _, c := range s.lowest {
		counts[c.owner] += each
	}
}
