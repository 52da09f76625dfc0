package offenders

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// sampleSize is the number of distinct series in a full sample. An offender with a tenth of all series without a place has
// 102 of them, give or take 10. An offender with a hundredth is missing with a probability of 3e-5.
const sampleSize = 1024

// sample is a uniform sample of the distinct series that were offered: those with the lowest hashes, each with its owner. An
// owner is an offender.
//
// Bar-Yossef, Jayram, Kumar, Sivakumar, Trevisan: Counting distinct elements in a data stream (2002), algorithm 2;
// Cohen, Kaplan: Summarizing data using bottom-k sketches (2007).
//
// It is safe for concurrent use. A series that is not among the lowest costs one load. Nearly all series are such ones.
type sample struct {
	threshold atomic.Uint64 // only lower hashes enter the sample

	mu     sync.Mutex // guards everything below
	lowest []sampled  // sorted by hash
	counts map[uint64]int
}

// sampled is a series of the sample and its owner.
type sampled struct{ hash, owner uint64 }

// sampleBytes is the size of a full sample: its series, and their number by owner.
const sampleBytes = sampleSize * (16 + 32)

func newSample() *sample {
	s := &sample{lowest: make([]sampled, 0, sampleSize), counts: make(map[uint64]int)}
	s.reset()
	return s
}

func (s *sample) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lowest = s.lowest[:0]
	clear(s.counts)
	s.threshold.Store(1<<64 - 1)
}

// add offers a series. It returns the number of series of its owner in the sample, or 0 if the sample did not change.
func (s *sample) add(hash, owner uint64) (ofOwner int) {
	if hash >= s.threshold.Load() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := slices.BinarySearchFunc(s.lowest, hash, func(c sampled, hash uint64) int { return cmp.Compare(c.hash, hash) })
	if known || hash >= s.threshold.Load() {
		return 0
	}
	if len(s.lowest) == sampleSize {
		s.removeHighest()
	}
	s.lowest = slices.Insert(s.lowest, i, sampled{hash, owner})
	s.counts[owner]++
	if len(s.lowest) == sampleSize {
		s.threshold.Store(s.lowest[sampleSize-1].hash)
	}
	return s.counts[owner]
}

// removeHighest removes the series with the highest hash. The caller holds the lock.
func (s *sample) removeHighest() {
	last := len(s.lowest) - 1
	owner := s.lowest[last].owner
	s.lowest = s.lowest[:last]
	if s.counts[owner]--; s.counts[owner] == 0 {
		delete(s.counts, owner)
	}
}

// count returns the number of series of an owner in the sample.
func (s *sample) count(owner uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[owner]
}

// addEstimates adds the estimated number of distinct offered series of each owner to totals.
func (s *sample) addEstimates(totals map[uint64]float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	each := 1.0
	if len(s.lowest) == sampleSize {
		// The k-th lowest of n uniform hashes is at k/n of their range.
		each = (1 << 63) * 2 / float64(s.lowest[sampleSize-1].hash)
	}
	for _, c := range s.lowest {
		totals[c.owner] += each
	}
}
