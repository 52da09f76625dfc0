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
	lowest []claim // sorted
}

// claim is a series of the sample and whose it is.
type claim struct{ hash, owner uint64 }

// sampleBytes is what a sample takes.
const sampleBytes = sampleSize * 16

func newSample() *sample {
	s := &sample{lowest: make([]claim, 0, sampleSize)}
	s.reset()
	return s
}

func (s *sample) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lowest = s.lowest[:0]
	s.threshold.Store(1<<64 - 1)
}

func (s *sample) add(hash, owner uint64) {
	if hash >= s.threshold.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := slices.BinarySearchFunc(s.lowest, hash, func(c claim, hash uint64) int { return cmp.Compare(c.hash, hash) })
	if known || hash >= s.threshold.Load() {
		return
	}
	s.lowest = slices.Insert(s.lowest[:min(len(s.lowest), sampleSize-1)], i, claim{hash, owner}) // the highest makes room
	if len(s.lowest) == sampleSize {
		s.threshold.Store(s.lowest[sampleSize-1].hash)
	}
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
