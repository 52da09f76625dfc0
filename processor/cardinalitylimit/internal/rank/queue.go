// Package rank orders the strangers of a batch, which are the points of series that have no place yet. The heaviest series
// come first, so the places go to the series with most of the traffic.
package rank

import (
	"cmp"
	"slices"
)

// Stranger is a point that waits for a decision.
type Stranger struct {
	Series uint64 // identity of the series, as the limits count it
	Weight float64
	Time   int64 // ns since the epoch
	Metric int32 // number of the metric among those of the batch that have strangers
	Point  int32 // index in the metric
}

// maxStrangers bounds the memory of a queue: 40 bytes each, 2.5 MiB. The caller decides on further strangers at once, before
// those in the queue.
const maxStrangers = 1 << 16

// Queue contains the strangers of one batch. Not safe for concurrent use.
type Queue struct{ waiting []Stranger }

// Add adds a stranger to the queue. It returns false if the queue is full.
func (q *Queue) Add(s Stranger) bool {
	if len(q.waiting) == maxStrangers {
		return false
	}
	q.waiting = append(q.waiting, s)
	return true
}

// Ordered returns the strangers in their order: series by the sum of the weights of their points, equal sums by identity, and
// the points of a series by time. The result is valid until the next Reset.
func (q *Queue) Ordered() []Stranger {
	slices.SortFunc(q.waiting, bySeries)
	for i := 0; i < len(q.waiting); {
		end, sum := i, 0.0
		for ; end < len(q.waiting) && q.waiting[end].Series == q.waiting[i].Series; end++ {
			sum += q.waiting[end].Weight
		}
		for ; i < end; i++ {
			q.waiting[i].Weight = sum
		}
	}
	slices.SortFunc(q.waiting, byWeight)
	return q.waiting
}

// bySeries orders by identity, the points of a series by time, and points of one time as they came.
func bySeries(a, b Stranger) int {
	if a.Series != b.Series {
		return cmp.Compare(a.Series, b.Series)
	}
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Point, b.Point))
}

// byWeight orders the heaviest first, and equal weights by series.
func byWeight(a, b Stranger) int {
	if a.Weight != b.Weight {
		return cmp.Compare(b.Weight, a.Weight)
	}
	return bySeries(a, b)
}

// Reset empties the queue and keeps its memory.
func (q *Queue) Reset() { q.waiting = q.waiting[:0] }
