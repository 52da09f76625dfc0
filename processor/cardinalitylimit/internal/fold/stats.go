package fold

import (
	"sync"
	"sync/atomic"
)

// Stat is an event of folding. It counts points, unless its comment names another unit.
type Stat uint8

// Stats.
const (
	StatFolded      Stat = iota // folded
	StatUnbaselined             // first values that were only a baseline
	StatOutOfOrder              // dropped: not newer than the last point of the stream
	StatRefused                 // dropped: no memory for the state of the stream
	StatNonFinite               // dropped: NaN or infinite
	StatMalformed               // dropped: inconsistent buckets and bounds
	StatGauges                  // dropped: gauges are not folded
	StatStale                   // consumed: the end of a folded stream
	StatUndelivered             // outgoing points that downstream refused permanently
	StatSaturated               // additions that left a sum at the largest value of its type, or that were left out because a count would overflow
	StatRebucketed              // histograms changed to other bounds

	StatRefusedStreams // streams or accumulators without memory
	StatExemplars      // exemplars dropped: over the number per outgoing point, or of dropped points
	StatCount
)

// Stats is the count of each Stat.
type Stats [StatCount]int64

// add adds o to n.
func (n *Stats) add(o Stats) {
	for i, more := range o {
		n[i] += more
	}
}

// sharedStats adds up the counts of all batches and flushes. Each adds its counts once. Most have no counts and take no lock.
type sharedStats struct {
	pending atomic.Bool // n is not zero
	mu      sync.Mutex
	n       Stats
}

func (s *sharedStats) add(n Stats) {
	if n == (Stats{}) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n.add(n)
	s.pending.Store(true)
}

func (s *sharedStats) drain() Stats {
	if !s.pending.Load() {
		return Stats{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.n
	s.n = Stats{}
	s.pending.Store(false)
	return n
}
