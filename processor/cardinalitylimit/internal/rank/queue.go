// Package rank orders the strangers of a batch, which are the points of series that have no place yet. The heaviest series
// come first, so the places go to the series with most of the traffic.
package rank

import (
	"cmp"
	"math"
	"slices"
)

// Stranger is a point that waits for a decision.
type Stranger struct {
	Series uint64  // identity of the series, as the limits count it
	Weight float64 // not negative
	Time   int64   // ns since the epoch
	Metric int32   // number of the metric among those of the batch that have strangers
	Point  int32   // index in the metric
}

// maxStrangers bounds the memory of a queue: two Strangers and a key each, 96 bytes, 6 MiB. The caller decides on further strangers at once, before
// those in the queue.
const maxStrangers = 1 << 16

// Queue contains the strangers of one batch. Not safe for concurrent use.
type Queue struct {
	waiting []Stranger
	spare   []Stranger // memory for the next order
	keys    []key
}

// key is the value by which a stranger is sorted, and its index. It is smaller than a stranger.
type key struct {
	value uint64
	at    int32
}

func compareKeys(a, b key) int {
	if a.value != b.value {
		return cmp.Compare(a.value, b.value)
	}
	return cmp.Compare(a.at, b.at)
}

// sort sorts the strangers by a value. Those of one value stay in their order.
func (q *Queue) sort(valueOf func(*Stranger) uint64) {
	q.keys, q.spare = q.keys[:0], q.spare[:0]
	for i := range q.waiting {
		q.keys = append(q.keys, key{valueOf(&q.waiting[i]), int32(i)}) //nolint:gosec // at most maxStrangers
	}
	slices.SortFunc(q.keys, compareKeys)
	for _, k := range q.keys {
		q.spare = append(q.spare, q.waiting[k.at])
	}
	q.waiting, q.spare = q.spare, q.waiting
}

// Add adds a stranger to the queue. It returns false if the queue is full.
func (q *Queue) Add(s Stranger) bool {
	if len(q.waiting) == maxStrangers {
		return false
	}
	q.waiting = append(q.waiting, s)
	return true
}

// Ordered returns the strangers by series: the largest sum of the points' weights first, equal sums by identity. The points of a
// series are ordered by time. The result is valid until the next Reset.
func (q *Queue) Ordered() []Stranger {
	q.sort(func(s *Stranger) uint64 { return s.Series })
	for i := 0; i < len(q.waiting); {
		end, sum := i+1, 0.0
		for end < len(q.waiting) && q.waiting[end].Series == q.waiting[i].Series {
			end++
		}
		series := q.waiting[i:end]
		slices.SortFunc(series, byTime)
		for k := range series {
			sum += series[k].Weight
		}
		for ; i < end; i++ {
			q.waiting[i].Weight = sum
		}
	}
	q.sort(func(s *Stranger) uint64 { return ^math.Float64bits(s.Weight) }) // the bits of non-negative numbers sort like the numbers; ^ puts the largest first
	return q.waiting
}

// byTime orders the points of a series by time, and points of one time as they came.
func byTime(a, b Stranger) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Point, b.Point))
}

// Reset empties the queue and keeps its memory.
func (q *Queue) Reset() { q.waiting = q.waiting[:0] }
