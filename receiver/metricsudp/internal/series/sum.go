package series

import (
	"math"
	"math/rand/v2"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// sums is the aggregator of counters.
type sums struct{}

func (sums) aggregation() Aggregation { return Sum }

func (sums) newPart(int) *part {
	var x struct {
		part
		sumAccumulator
	}
	x.accumulator = &x.sumAccumulator
	return &x.part
}

func (sums) partSize() int { return 80 }

func (sums) newSeries() *Series { return withValue(SumValue{}) }

func (sums) trim() {}

type sumAccumulator [2]sum

var _ accumulator = (*sumAccumulator)(nil)

func (s *sumAccumulator) add(half int, l *line.Line, _ int64, t *Table, _ bool) bool {
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

// Sum returns the sum of the interval, or with cumulative since the start. whole is the sum of an int counter, real of a float
// counter.
func (v *SumValue) Sum() (whole int64, real float64) { return v.whole, v.real }

func (v *SumValue) merge(from accumulator, half int) bool {
	s := &from.(*sumAccumulator)[half]
	v.addWhole(s.whole)
	v.fraction += s.fraction
	v.real += s.real
	*s = sum{}
	return true
}

func (v *SumValue) finishMerge() { v.carryWhole() }

// clear keeps the fraction that an int counter carries over.
func (v *SumValue) clear() { v.whole, v.real = 0, 0 }

// sum is a sum of value/rate. Int counters use whole and fraction, float counters use real.
type sum struct {
	whole    int64
	fraction float64 // in [0, 1), except between merge and finishMerge
	real     float64
}

// addWhole saturates at the bounds of int64.
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

// addInt adds v/rate, which must fit into an int64. The fraction is carried over, or rounded by chance if random is not nil.
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
		s.carryWhole()
	}
}

// roundByChance rounds x up with a probability equal to its fraction, so that the expected result is x.
func roundByChance(x float64, random *rand.Rand) int64 {
	floor := math.Floor(x)
	if random.Float64() < x-floor {
		floor++ // exact, because x has a fraction and is therefore below 2^53
	}
	return int64(floor)
}

// carryWhole moves what is whole in the fraction to whole.
func (s *sum) carryWhole() {
	floor := math.Floor(s.fraction)
	s.fraction -= floor
	s.addWhole(int64(floor))
}
