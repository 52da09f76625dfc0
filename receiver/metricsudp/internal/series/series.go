package series

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Metric has the properties that all series of one name and kind share.
type Metric struct {
	Name        string
	Kind        line.Kind
	Aggregation Aggregation
	Monotonic   bool // whether it is a counter that rejects negative increments

	aggregator aggregator
	series     int     // number of series of the metric; Registry.mu guards it
	overflow   *Series // may be nil; Registry.mu guards it

	// GroupPosition is used by the flusher while it orders items by metric: first the number of the metric's items, then the index
	// of its next item. Otherwise it is 0.
	GroupPosition int
}

// Tag is an attribute of a series.
type Tag struct{ Key, Value string }

// Series is one metric with one set of tags and one origin.
type Series struct {
	lastUsed atomic.Uint64 // Registry.swap when a line last needed the registry, or when the series was last merged

	// parts has the readers' parts by the index of their table. Only that reader reads and writes its element. A reader has
	// one part of a series, even if lines write its tags in several orders.
	parts []*part

	// The flusher owns the next four fields.
	value   value
	Start   time.Time // start of the next point; zero before the first value. With delta it is the end of the last point.
	Pending bool      // has values that were not emitted
	Offered bool      // its last point was emitted; if the consumer refuses it, it is emitted again

	// The remaining fields are the identity, which never changes. Overflow stands first, next to the bools of the flusher: any
	// other order makes a series 16 bytes larger.
	Overflow bool // collects the values of the metric's series beyond the limit
	Metric   *Metric
	Origin   *Origin
	key      string
	tags     string // the tags in key
}

// part is one reader's part of a series.
type part struct {
	series      *Series
	accumulator accumulator
	used        [2]use // by half, in the epoch of that half
	overflow    bool   // whether series is an overflow series
}

// use says how lines of an epoch have used a half of a part. A used part is in the epoch's list.
type use uint8

const (
	unused  use = iota
	seen        // only lines with a timestamp, whose values are in Epoch.Timed
	written     // a line was given to the accumulator, which may have kept nothing
)

// Tags calls yield for each tag, in the order of their keys.
func (s *Series) Tags(yield func(Tag) bool) {
	eachTag(s.tags, yield)
}

func eachTag(tags string, yield func(Tag) bool) {
	for rest := tags; rest != ""; {
		key := strings.IndexByte(rest, keyEnd)
		end := key + 1 + strings.IndexByte(rest[key+1:], tagEnd)
		if !yield(Tag{rest[:key], rest[key+1 : end]}) {
			return
		}
		rest = rest[end+1:]
	}
}

// TagCount returns the number of tags.
func (s *Series) TagCount() int { return strings.Count(s.tags, string(tagEnd)) }

// FinishMerge computes the value after the parts of all readers are merged. It must be called before Value.
func (s *Series) FinishMerge() { s.value.finishMerge() }

// Value returns a *[SumValue], *[LastValue], *[UniqueValue], *[DistributionValue], *[ExplicitValue] or *[SummaryValue],
// depending on the metric's aggregation.
func (s *Series) Value() any { return s.value }

// Clear starts a new delta interval.
func (s *Series) Clear() { s.value.clear() }
