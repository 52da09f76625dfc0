package fold

import "sync"

// Stat is one thing that folding did or could not do exactly. It counts points, where nothing else
// is said.
type Stat uint8

// Stats.
const (
	StatFolded      Stat = iota // entered an accumulator
	StatUnbaselined             // first values that served as the baseline only
	StatOutOfOrder              // dropped: not newer than the last of their stream
	StatRefused                 // dropped: no room for the state of their stream
	StatNonFinite               // dropped: NaN or infinite
	StatMalformed               // dropped: buckets and bounds that do not fit together
	StatGauges                  // dropped: gauges are not folded
	StatStale                   // consumed: the end of a folded stream
	StatUndelivered             // outgoing points that downstream refused for good
	StatSaturated               // additions that held a sum at the largest value of its type, or exceeded a count
	StatRebucketed              // histograms brought to other bounds

	StatRefusedStreams // streams or accumulators there was no room for
	StatExemplars      // dropped: more than an outgoing point may have, or of points that are dropped
	StatCount
)

// Stats counts each Stat.
type Stats [StatCount]int64

// Add adds o to n.
func (n *Stats) Add(o Stats) {
	for i, more := range o {
		n[i] += more
	}
}

// sharedStats gathers the counts of all batches and flushes, each adding its own
// once.
type sharedStats struct {
	mu sync.Mutex
	n  Stats
}

func (s *sharedStats) add(n Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n.Add(n)
}

func (s *sharedStats) take() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.n
	s.n = Stats{}
	return n
}
