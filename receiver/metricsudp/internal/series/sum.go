package series

import (
	"math"
	"math/rand/v2"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// sums is the aggregator of counters.
type sums struct{}

func (sums) aggregation() Aggregation { return Sum }

func (sums) local(int) *local {
	var x struct {
		local
		sumShare
	}
	x.share = &x.sumShare
	return &x.local
}

func (sums) localBytes() int { return 80 }

func (sums) value() value { return new(SumValue) }

func (sums) trim() {}

type sumShare [2]sum

var _ share = (*sumShare)(nil)

func (s *sumShare) add(half int, l *line.Line, _ int64, t *Table, _ bool) bool {
	to := &s[half]
	for i := range l.Values {
		if t.options.IntCounters {
			to.addInt(&l.Values[i], l.Rate, t.random)
		} else {
			to.real += l.Values[i].Float / l.Rate
		}
	}
	return true
}

// SumValue is a counter.
type SumValue struct{ sum }

var _ value = (*SumValue)(nil)

// Sum returns the sum so far: whole is meaningful for int counters, real for float
// ones.
func (v *SumValue) Sum() (whole int64, real float64) { return v.whole, v.real }

func (v *SumValue) merge(from share, half int) bool {
	s := &from.(*sumShare)[half]
	v.addWhole(s.whole)
	v.fraction += s.fraction
	v.real += s.real
	*s = sum{}
	return true
}

// clear keeps the fraction that an int counter carries.
func (v *SumValue) clear() { v.whole, v.real = 0, 0 }

// sum is of either whole numbers and a fraction, or reals.
type sum struct {
	whole    int64
	fraction float64 // of int counters; in [0, 1) but between merge and settle
	real     float64
}

// addWhole stops at the ends of int64.
func (s *sum) addWhole(n int64) {
	sum := s.whole + n
	if (sum > s.whole) == (n > 0) {
		s.whole = sum
	} else if n > 0 {
		s.whole = math.MaxInt64
	} else if n < 0 {
		s.whole = math.MinInt64
	}
}

// addInt counts v/rate. The caller has made sure that it fits an int64. The fraction
// is carried over or, given a source of random numbers, rounded by chance.
func (s *sum) addInt(v *line.Value, rate float64, random *rand.Rand) {
	if rate == 1 && v.Whole {
		s.addWhole(v.Int)
		return
	}
	x := v.Float / rate
	if random != nil {
		s.addWhole(roundByChance(x, random))
		return
	}
	floor := math.Floor(x)
	s.fraction += x - floor
	s.addWhole(int64(floor))
	if s.fraction >= 1 {
		s.settle()
	}
}

// roundByChance rounds up with the probability of the fraction, so that x is the
// expectation of the result.
func roundByChance(x float64, random *rand.Rand) int64 {
	floor := math.Floor(x)
	if random.Float64() < x-floor {
		floor++ // x has a fraction: it is below 2^53
	}
	return int64(floor)
}

func (s *sum) settle() {
	floor := math.Floor(s.fraction)
	s.fraction -= floor
	s.addWhole(int64(floor))
}
