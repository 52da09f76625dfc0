package series

import (
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Metric is what the series of one name and kind share.
type Metric struct {
	Name        string
	Kind        line.Kind
	Aggregation Aggregation
	Monotonic   bool // of a counter: it refuses negative values

	aggregator aggregator
	series     int     // that refer to it; Registry.mu
	overflow   *Series // or nil; Registry.mu
}

// Tag is an attribute of a series.
type Tag struct{ Key, Value string }

// Series is one metric with one set of tags and one origin.
type Series struct {
	lastUsed uint64 // swap of the last line; Registry.mu

	// locals are the readers' shares. Each belongs to the reader of that index, who
	// alone reads and writes it: a reader has one share of a series however many
	// permutations of its tags there are.
	locals []*local

	// State of the flusher.
	value   value
	Last    time.Time // end of the last point emitted (delta), or start (cumulative)
	Pending bool      // has values that were not emitted
	Offered bool      // its last point was emitted, but may be refused and emitted anew

	// Identity, never changed. It begins with a bool, as the state ends with one:
	// the other way round is 16 bytes a series.
	Overflow bool // stands for all series of the metric past the limit
	Metric   *Metric
	Origin   *Origin
	key      string
	tags     string // the part of key behind the name
}

// local is one reader's share of a series.
type local struct {
	series   *Series
	share    share
	used     [2]use // of each half, in its epoch
	overflow bool   // of the series
}

// use is what an epoch has of a share's half. From seen on the share is in its list.
type use uint8

const (
	unused  use = iota
	seen        // in a line whose values are points by themselves, or found no room
	written     // there are values
)

// Tags calls yield for each tag, in the order of their keys.
func (s *Series) Tags(yield func(Tag) bool) {
	eachTag(s.tags, yield)
}

func eachTag(tags string, yield func(Tag) bool) {
	for rest := tags; rest != ""; {
		var tag string
		tag, rest, _ = strings.Cut(rest, string(tagEnd))
		key, value, _ := strings.Cut(tag, string(keyEnd))
		if !yield(Tag{key, value}) {
			return
		}
	}
}

// TagCount is how many tags there are.
func (s *Series) TagCount() int { return strings.Count(s.tags, string(tagEnd)) }

// Settle brings the merged shares of all readers to a value. What Value returns
// expects it to have been called.
func (s *Series) Settle() { s.value.settle() }

// Value is a *[SumValue], *[LastValue], *[UniqueValue], *[DistributionValue],
// *[ExplicitValue] or *[SummaryValue], by the metric's aggregation.
func (s *Series) Value() any { return s.value }

// Clear starts a new delta interval.
func (s *Series) Clear() { s.value.clear() }
