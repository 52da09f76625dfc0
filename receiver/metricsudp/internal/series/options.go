package series

import (
	"math/rand/v2"
	"net/netip"
	"regexp"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Options hold for all tables of a receiver.
type Options struct {
	Limits     line.Limits
	MaxSeries  int // all tables together
	MaxAliases int // all tables together
	MaxTags    int // of a line
	Tables     int // how many readers there will be

	Origin OriginMode // keeps series apart

	// MaxBytes bounds what series, their values and aliases take together. The
	// overflow series, of which there are few, come on top.
	MaxBytes int64

	SimpleTags bool // take tags without a value
	MetricType bool // make the kind of a metric an attribute of its series

	Monotonic    bool             // refuse negative counters
	NonMonotonic []*regexp.Regexp // names that are an exception; an expression matches a whole name

	IntCounters bool // counters are int64; fractions are carried over, but see Random
	SetLimit    int  // members of a set counted exactly

	TimerSeconds bool         // timers become seconds
	Cleaning     NameCleaning // of names

	SignedGauges SignedGauges // what +1 and -1 mean

	// Random is called once for each table. With it int counters round value/rate up
	// or down by chance; nil otherwise.
	Random func() rand.Source

	// Observers of timers, histograms and distributions.
	Observers [line.Kinds]Observer

	// Counters or gauges with a timestamp become points of their own, of which an
	// epoch can hold TimedPoints, together with the values that have the time of
	// receipt.
	TimedCounters, TimedGauges bool
	TimedPoints                int

	// Events is given each event and service check, which is valid until it returns, from the
	// readers' goroutines. It must not wait. They are only counted where it is nil.
	Events func(kind line.Kind, text []byte, from netip.Addr)

	// ExpirySwaps is how many swaps a series is kept without a value; at least 2.
	ExpirySwaps uint64
}

// isMonotonic reports whether a counter refuses negative values. The overflow counter that many names share does not
// if any of them may be negative.
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

// SignedGauges says what a gauge's value that is written with a sign means.
type SignedGauges uint8

// The meanings.
const (
	SignedIsChange         SignedGauges = iota // of the last value, until the series expires
	SignedIsIntervalChange                     // of the last value in the interval, which begins at 0
	SignedIsAbsolute                           // the value itself
)

// MaxBuckets of a histogram for each sign, unless configured otherwise: the default of the OpenTelemetry SDKs.
const MaxBuckets = 160

// MaxFieldBytes bounds names and tag fields, so that a key fits an arena chunk.
const MaxFieldBytes = 8192
