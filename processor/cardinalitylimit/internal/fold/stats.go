package fold

import "sync"

// Stats counts what folding did and could not do exactly: points, where nothing else
// is said.
type Stats struct {
	Folded      int64 // entered an accumulator
	Unbaselined int64 // first values that served as the baseline only
	OutOfOrder  int64 // dropped: not newer than the last of their stream
	Refused     int64 // dropped: no room for the state of their stream
	NonFinite   int64 // dropped: NaN or infinite
	Malformed   int64 // dropped: buckets and bounds that do not fit together
	Gauges      int64 // dropped: gauges are not folded
	Stale       int64 // consumed: the end of a folded stream
	Undelivered int64 // outgoing points that downstream refused for good
	Saturated   int64 // additions that held a sum at the largest value of its type, or exceeded a count
	Rebucketed  int64 // histograms brought to other bounds

	RefusedStreams int64 // streams or accumulators there was no room for
	Exemplars      int64 // dropped: more than an outgoing point may have, or of points that are dropped
}

// Add adds o to n.
func (n *Stats) Add(o Stats) {
	n.Folded += o.Folded
	n.Unbaselined += o.Unbaselined
	n.OutOfOrder += o.OutOfOrder
	n.Refused += o.Refused
	n.NonFinite += o.NonFinite
	n.Malformed += o.Malformed
	n.Gauges += o.Gauges
	n.Stale += o.Stale
	n.Undelivered += o.Undelivered
	n.Saturated += o.Saturated
	n.Rebucketed += o.Rebucketed
	n.RefusedStreams += o.RefusedStreams
	n.Exemplars += o.Exemplars
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
