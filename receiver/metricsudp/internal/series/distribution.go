package series

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

type distributionShare [2]struct {
	histogram *histogram // nil without values
	carry
}

var _ share = (*distributionShare)(nil)

// carry is the fraction of a weight that is left to the next value, in [0, 1) but
// between merge and settle: a sample rate makes a value count 1/rate times.
type carry struct {
	fraction float64
	value    float64 // that the fraction stands for
}

func (s *distributionShare) add(half int, l *line.Line, _ int64, t *Table, must bool) bool {
	to := &s[half]
	if to.histogram == nil {
		if to.histogram = t.histograms.take(must); to.histogram == nil {
			return false
		}
	}
	if !to.histogram.negative && anyNegative(l.Values) && !to.histogram.widen(t.registry.budget, must) {
		return false
	}
	if l.Rate == 1 {
		for i := range l.Values {
			to.histogram.Record(l.Values[i].Float, 1)
		}
		return true
	}
	for i := range l.Values {
		weight := 1/l.Rate + to.fraction
		n := math.Floor(weight)
		to.carry = carry{weight - n, l.Values[i].Float}
		to.histogram.Record(l.Values[i].Float, uint64(n))
	}
	return true
}

func anyNegative(values []line.Value) bool {
	for i := range values {
		if values[i].Float < 0 {
			return true
		}
	}
	return false
}

// DistributionValue is a timer, histogram or distribution.
type DistributionValue struct {
	pool      *pool[*histogram]
	histogram *histogram // nil after clear
	carry     carry
}

var _ value = (*DistributionValue)(nil)

// Histogram returns what was observed so far: nil for nothing. It is valid until
// the next merge or clear.
func (v *DistributionValue) Histogram() *expo.Histogram {
	if v.histogram == nil {
		return nil
	}
	return &v.histogram.Histogram
}

// merge takes the first reader's histogram as it is: most series have one reader.
func (v *DistributionValue) merge(from share, half int) bool {
	s := &from.(*distributionShare)[half]
	if s.fraction > 0 {
		v.carry.fraction += s.fraction
		v.carry.value = s.value
		s.carry = carry{}
	}
	switch {
	case s.histogram == nil:
		return false
	case s.histogram.Count == 0: // refused its first value
		v.pool.put(s.histogram)
		s.histogram = nil
		return false
	case v.histogram == nil:
		v.histogram = s.histogram
	default:
		if s.histogram.negative && !v.histogram.negative {
			v.histogram.widen(v.pool.budget, true)
		}
		v.histogram.Merge(&s.histogram.Histogram)
		v.pool.put(s.histogram)
	}
	s.histogram = nil
	return true
}

func (v *DistributionValue) settle() {
	if v.carry.fraction < 1 || v.histogram == nil {
		return
	}
	n := math.Floor(v.carry.fraction)
	v.carry.fraction -= n
	v.histogram.Record(v.carry.value, uint64(n))
}

func (v *DistributionValue) clear() {
	if v.histogram != nil {
		v.pool.put(v.histogram)
		v.histogram = nil
	}
}

// histogram is charged with all the buckets it can have, for the signs it has:
// buckets are full after a few different values.
type histogram struct {
	expo.Histogram
	negative bool // charged for both signs
}

const (
	histogramBytes = 160            // the struct
	signBytes      = MaxBuckets * 8 // of uint64
)

func newHistogram() *histogram { return &histogram{Histogram: *expo.New(MaxBuckets)} }

func (h *histogram) size() int {
	if h.negative {
		return histogramBytes + 2*signBytes
	}
	return histogramBytes + signBytes
}

// widen charges for negative values.
func (h *histogram) widen(b *budget.Budget, must bool) bool {
	if must {
		b.Force(signBytes)
	} else if !b.Reserve(signBytes) {
		return false
	}
	h.negative = true
	return true
}

func (h *histogram) reset() { h.Reset() }
