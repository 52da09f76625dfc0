package series

import (
	"math/rand/v2"
	"net/netip"
	"regexp"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Options apply to all tables of a receiver.
type Options struct {
	Limits     line.Limits
	MaxSeries  int // of all tables together
	MaxAliases int // of all tables together
	MaxTags    int // per line
	Tables     int // number of readers

	Origin OriginMode

	// MaxBytes bounds the memory of series, their values and aliases together. The memory of overflow series is not bounded
	// by it, but their number is: see maxOverflowMetrics.
	MaxBytes int64

	SimpleTags bool // accept tags without a value
	MetricType bool // add the kind of a metric as an attribute of its series

	Monotonic    bool             // reject negative increments of counters
	NonMonotonic []*regexp.Regexp // counters that accept negative increments; an expression matches a whole name

	IntCounters bool // counters are int64; fractions are carried over unless Random is set
	SetLimit    int  // number of members up to which a set is counted exactly

	TimerSeconds bool         // divide timers by 1,000, from milliseconds to seconds
	Cleaning     NameCleaning // how names and tag keys are rewritten

	SignedGauges SignedGauges // meaning of +1 and -1

	// Random is called once per table. With it int counters round value/rate up or down by chance. It may be nil.
	Random func() rand.Source

	// Observers configure timers, histograms and distributions.
	Observers [line.Kinds]Observer

	// TimedCounters and TimedGauges make a point of its own of each value with a timestamp. An epoch has room for TimedPoints
	// such points, together with the values of the aggregation Each.
	TimedCounters, TimedGauges bool
	TimedPoints                int

	// Events receives each event and service check. The text is valid until Events returns. The readers call it, so it must
	// not wait. If it is nil, events and service checks are only counted.
	Events func(kind line.Kind, text []byte, from netip.Addr)

	// ExpirySwaps is the number of swaps after which a series without a line expires; at least 2.
	ExpirySwaps uint64
}

// isMonotonic reports whether a counter rejects negative increments. The overflow counter of many names accepts them if any
// name may be negative.
func (o *Options) isMonotonic(name []byte) bool {
	if !o.Monotonic || len(o.NonMonotonic) > 0 && string(name) == OverflowKey {
		return false
	}
	for _, expression := range o.NonMonotonic {
		if expression.Match(name) {
			return false
		}
	}
	return true
}

// SignedGauges is the meaning of a gauge's value that is written with a sign.
type SignedGauges uint8

// The meanings of a sign.
const (
	SignedIsChange         SignedGauges = iota // a change of the last value, until the series expires
	SignedIsIntervalChange                     // a change of the last value in the interval, which begins at 0
	SignedIsAbsolute                           // an absolute value
)

// MaxBuckets is the default number of buckets per sign of a histogram, as in the OpenTelemetry SDKs.
const MaxBuckets = 160

// MaxFieldBytes bounds names and tag fields, so that the key of an alias fits into a chunk.
const MaxFieldBytes = 8192
