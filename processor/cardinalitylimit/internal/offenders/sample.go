package offenders

import (
	"container/heap"
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
	owners map[uint64]uint64 // offender by hash
	lowest hashes
}

// hashes is a heap with the largest at the front.
type hashes []uint64

func (h hashes) Len() int           { return len(h) }
func (h hashes) Less(i, j int) bool { return h[i] > h[j] }
func (h hashes) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hashes) Push(x any)        { *h = append(*h, x.(uint64)) }
func (h *hashes) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// sampleBytes is what a full one takes: a word in the heap and twice two in the map, which is up to half empty.
const sampleBytes = sampleSize * (8 + 2*16)

func newSample() *sample {
	s := &sample{}
	s.reset()
	return s
}

func (s *sample) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners, s.lowest = make(map[uint64]uint64), nil
	s.threshold.Store(1<<64 - 1)
}

func (s *sample) add(hash, owner uint64) {
	if hash >= s.threshold.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.owners[hash]; known || hash >= s.threshold.Load() {
		return
	}
	s.owners[hash] = owner
	heap.Push(&s.lowest, hash)
	if len(s.lowest) > sampleSize {
		delete(s.owners, heap.Pop(&s.lowest).(uint64))
		s.threshold.Store(s.lowest[0])
	}
}

// shares adds to counts how many distinct series of each offender there were, as far as the sample tells.
func (s *sample) shares(counts map[uint64]float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	each := 1.0
	if len(s.lowest) == sampleSize {
		// The k-th lowest of n uniform hashes is at k/n of their range.
		each = (1 << 63) * 2 / float64(s.lowest[0])
	}
	for _, owner := range s.owners {
		counts[owner] += each
	}
}
