package series

import (
	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// DistributionValue is a timer, histogram or distribution in exponential buckets.
type DistributionValue struct{ tallyValue[*histogram] }

func newDistributions(tables int, b *budget.Budget, size int) *tallies[*histogram] {
	return newTallies(Distribution, tables, b, func() *histogram { return newHistogram(size) },
		func(v tallyValue[*histogram]) *Series { return withValue(DistributionValue{v}) })
}

// Histogram returns the histogram of the merged values, or nil if there are none. It is valid until the next merge, clear or
// Histogram of any series.
func (v *DistributionValue) Histogram() *expo.Histogram {
	h := v.buckets()
	if h == nil {
		return nil
	}
	return &h.Histogram
}

// histogram is charged to the budget with its maximum number of buckets for each sign that it uses, because a few different
// values already fill the buckets.
type histogram struct {
	expo.Histogram
	negative bool // the buckets of negative values are charged
}

const (
	histogramBytes = 160 // size of the struct
	bucketBytes    = 8   // size of a uint64
)

func newHistogram(size int) *histogram { return &histogram{Histogram: *expo.New(size)} }

func (h *histogram) signBytes() int { return bucketBytes * h.MaxSize() }

func (h *histogram) size() int {
	if h.negative {
		return histogramBytes + 2*h.signBytes()
	}
	return histogramBytes + h.signBytes()
}

// admit charges the buckets of negative values before the first negative value.
func (h *histogram) admit(negative bool, payer account) bool {
	return h.negative || !negative || h.widen(payer)
}

func anyNegative(values []line.Value) bool {
	for i := range values {
		if values[i].Float < 0 {
			return true
		}
	}
	return false
}

// widen charges the buckets of negative values.
func (h *histogram) widen(payer account) bool {
	if !payer.pay(h.signBytes()) {
		return false
	}
	h.negative = true
	return true
}

func (h *histogram) absorb(o *histogram, b *budget.Budget) {
	if o.negative && !h.negative {
		h.widen(account{b, true})
	}
	h.Merge(&o.Histogram)
}

func (h *histogram) empty() bool { return h.Count == 0 }

func (h *histogram) reset() { h.Reset() }
