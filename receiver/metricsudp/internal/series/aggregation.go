package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// Aggregation is what becomes of a metric's values. It is decided once, when the
// metric is registered.
type Aggregation uint8

// The aggregations.
const (
	Distribution Aggregation = iota // of values, each 1/rate times, in exponential buckets
	Explicit                        // the same between bounds that are given
	Summary                         // quantiles of values, each 1/rate times
	Each                            // every value by itself
	Sum                             // of value/rate
	Last                            // written, with changes on top
	Unique                          // members
	Aggregations                    // their number
)

// share is what one reader adds to one series, with a half for each epoch. Of two
// halves one is the reader's, the other the flusher's.
type share interface {
	// add adds the values of a line that was received at a time. Where memory is
	// refused it adds none and reports false, unless it must take it.
	add(half int, l *line.Line, at int64, t *Table, must bool) bool
}

// value is what a series has: the shares of all readers come together in it. It
// belongs to the flusher.
type value interface {
	// merge adds a half and empties it. It reports whether there was anything.
	merge(from share, half int) bool
	// settle brings what was merged to a value.
	settle()
	// clear starts a new delta interval.
	clear()
}

// aggregator is an aggregation with its configuration. It creates the readers'
// locals and the values of its metrics' series, and owns the pools that those take
// from.
type aggregator interface {
	aggregation() Aggregation
	// local creates the share of the reader whose table has that index. A local and
	// its share are one piece of memory: a line of a series that was not seen for a
	// while waits for it once.
	local(table int) *local
	localBytes() int
	value() value
	// trim lets go of what nobody needed of late.
	trim()
}
