package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// Aggregation is what becomes of a metric's values. It is decided once, when the
// metric is registered.
type Aggregation uint8

// The aggregations.
const (
	Sum          Aggregation = iota // of value/rate
	Last                            // written, with changes on top
	Distribution                    // of values, each 1/rate times
	Unique                          // members
	Aggregations                    // their number
)

func aggregationOf(kind line.Kind) Aggregation {
	switch kind {
	case line.Gauge:
		return Last
	case line.Set:
		return Unique
	case line.Timer, line.Histogram, line.Distribution:
		return Distribution
	}
	return Sum
}

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

// aggregator creates the readers' locals and the values of an aggregation.
type aggregator struct {
	local func() *local
	value func(*Registry) value
	bytes int // of a local with its share
}

// A local and its share are one piece of memory: a line of a series that was not
// seen for a while waits for it once.
var aggregators = [Aggregations]aggregator{
	Sum: {
		func() *local {
			var x struct {
				local
				sumShare
			}
			x.share = &x.sumShare
			return &x.local
		},
		func(*Registry) value { return new(SumValue) }, 80,
	},
	Last: {
		func() *local {
			var x struct {
				local
				lastShare
			}
			x.share = &x.lastShare
			return &x.local
		},
		func(*Registry) value { return new(LastValue) }, 112,
	},
	Distribution: {
		func() *local {
			var x struct {
				local
				distributionShare
			}
			x.share = &x.distributionShare
			return &x.local
		},
		func(r *Registry) value { return &DistributionValue{pool: &r.histograms} }, 80,
	},
	Unique: {
		func() *local {
			var x struct {
				local
				uniqueShare
			}
			x.share = &x.uniqueShare
			return &x.local
		},
		func(r *Registry) value { return &UniqueValue{pool: &r.counters} }, 48,
	},
}
