package series

import (
	"math"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/unique"
)

// Metric is what the series of one name and kind share.
type Metric struct {
	Name string
	Kind line.Kind

	series   int     // that refer to it; Registry.mu
	overflow *Series // or nil; Registry.mu
}

// Tag is an attribute of a series.
type Tag struct{ Key, Value string }

// Series is one metric with one set of tags.
type Series struct {
	// Identity, never changed.
	Metric   *Metric
	Overflow bool // stands for all series of the metric past the limit
	key      string
	tags     string // the part of key behind the name

	lastUsed uint64 // swap of the last value or alias; Registry.mu

	// locals are the readers' shares. Each belongs to the reader of that index, who
	// alone reads and writes it: a reader has one share of a series however many
	// permutations of its tags there are.
	locals []*local

	// State of the flusher.
	Pending bool      // has values that were not emitted
	Last    time.Time // end of the last point emitted (delta), or start (cumulative)

	counter counterShare
	gauge   gaugeShare
	Gauge   float64 // the present value
	dist    distShare
	members *unique.Counter
}

// Tags calls yield for each tag, in the order of their keys.
func (s *Series) Tags(yield func(Tag) bool) {
	for rest := s.tags; rest != ""; {
		var tag string
		tag, rest, _ = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(tag, ":")
		if !yield(Tag{key, value}) {
			return
		}
	}
}

// TagCount is how many tags there are.
func (s *Series) TagCount() int { return strings.Count(s.tags, ",") }

// merge adds a share of a reader and empties it.
func (s *Series) merge(p *part, o *Options) {
	switch s.Metric.Kind {
	case line.Counter:
		s.counter.merge(&p.counter)
		p.counter = counterShare{}
	case line.Gauge:
		s.gauge.merge(&p.gauge)
		p.gauge = gaugeShare{}
	case line.Timer, line.Histogram, line.Distribution:
		s.dist.merge(&p.dist)
		p.dist.reset()
	case line.Set:
		if s.members == nil {
			s.members = unique.New(o.SetLimit)
		}
		s.members.Merge(p.members)
		p.members.Reset()
	}
	p.used = false
}

// Settle brings the merged shares of all readers to a value. Emit methods expect
// it to have been called.
func (s *Series) Settle() {
	switch s.Metric.Kind {
	case line.Counter:
		s.counter.settle()
	case line.Gauge:
		s.Gauge = s.gauge.apply(s.Gauge)
		s.gauge = gaugeShare{}
	case line.Timer, line.Histogram, line.Distribution:
		s.dist.settle()
	}
}

// Counter returns the sum so far: whole is meaningful for int counters, real for
// float ones.
func (s *Series) Counter() (whole int64, real float64) { return s.counter.whole, s.counter.real }

// Distribution returns what was observed so far. It is valid until the next Merge
// or Clear.
func (s *Series) Distribution() *expo.Histogram { return s.dist.histogram }

// Members is the number of distinct members of a set.
func (s *Series) Members() int64 {
	return int64(min(s.members.Count(), math.MaxInt64))
}

// Clear starts a new delta interval. The fraction an int counter carries stays.
func (s *Series) Clear() {
	s.counter.whole, s.counter.real = 0, 0
	if s.dist.histogram != nil {
		s.dist.histogram.Reset()
	}
	if s.members != nil {
		s.members.Reset()
	}
}
