package series

import (
	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Aggregation is the way in which a metric's values become points. It is chosen once, when the metric is registered.
type Aggregation uint8

// The aggregations.
const (
	Distribution Aggregation = iota // counts each value 1/rate times, in exponential buckets
	Explicit                        // counts each value 1/rate times, in buckets with configured bounds
	Summary                         // quantiles of the values, each with the weight 1/rate
	Each                            // one point per value
	Sum                             // sum of value/rate
	Last                            // last absolute value plus the changes after it
	Unique                          // number of distinct members
	Aggregations                    // their number
)

// accumulator collects the values that one reader receives for one series. It has two halves, one per epoch. The reader owns
// the half of the epoch in use, the flusher the half of the retired epoch.
type accumulator interface {
	// add adds the values of a line that was received at the given time. If the budget refuses memory, add adds no value
	// and reports false. With forced it always adds them, even beyond the budget.
	add(half int, l *line.Line, at int64, t *Table, forced bool) bool
}

// value is the merged value of a series. The accumulators of all readers are merged into it. It belongs to the flusher.
type value interface {
	// merge adds one half of an accumulator and empties that half. It reports whether the half had a value.
	merge(from accumulator, half int) bool
	// finishMerge computes the value after the accumulators of all readers are merged.
	finishMerge()
	// clear starts a new delta interval.
	clear()
}

// aggregator is an aggregation with its configuration. It creates the readers' parts and the values of its metrics' series,
// and owns their pools.
type aggregator interface {
	aggregation() Aggregation
	// newPart creates a part for the reader whose table has that index. The part and its accumulator are one piece of
	// memory, so a line of a series that is not in the processor's cache waits for memory once.
	newPart(table int) *part
	// partSize is the size of a part with its accumulator, in bytes.
	partSize() int
	// newSeries creates a series with its value only. The two are one piece of memory, for the same reason.
	newSeries() *Series
	// trim releases pooled memory that was not needed since the last trim.
	trim()
}

// withValue returns a series whose value is v, in one piece of memory.
func withValue[V any, P interface {
	*V
	value
}](v V) *Series {
	x := &struct {
		Series
		own V
	}{own: v}
	x.value = P(&x.own)
	return &x.Series
}

// account pays for memory from the budget.
type account struct {
	budget *budget.Budget
	forced bool // pay even if that exceeds the budget
}

// pay reports whether the bytes were charged.
func (a account) pay(bytes int) bool {
	if a.forced {
		a.budget.Force(bytes)
		return true
	}
	return a.budget.Reserve(bytes)
}
