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
		func(v tallyValue[*histogram]) value { return &DistributionValue{v} })
}

// Histogram returns what was observed so far: nil for nothing. It is valid until the next merge, clear or
// Histogram of any series.
func (v *DistributionValue) Histogram() *expo.Histogram {
	h := v.buckets()
	if h == nil {
		return nil
	}
	return &h.Histogram
}

// histogram is charged with all the buckets it can have, for the signs it has:
// buckets are full after a few different values.
type histogram struct {
	expo.Histogram
	negative bool // charged for both signs
}

const (
	histogramBytes = 160 // the struct
	bucketBytes    = 8   // of uint64
)

func newHistogram(size int) *histogram { return &histogram{Histogram: *expo.New(size)} }

func (h *histogram) signBytes() int { return bucketBytes * h.MaxSize() }

func (h *histogram) size() int {
	if h.negative {
		return histogramBytes + 2*h.signBytes()
	}
	return histogramBytes + h.signBytes()
}

// admit charges for negative values, of which the first takes buckets of its own.
func (h *histogram) admit(negative bool, b *budget.Budget, must bool) bool {
	return h.negative || !negative || h.widen(b, must)
}

func anyNegative(values []line.Value) bool {
	for i := range values {
		if values[i].Float < 0 {
			return true
		}
	}
	return false
}

// widen charges for negative values.
func (h *histogram) widen(b *budget.Budget, must bool) bool {
	if must {
		b.Force(h.signBytes())
	} else if !b.Reserve(h.signBytes()) {
		return false
	}
	h.negative = true
	return true
}

func (h *histogram) absorb(o *histogram, b *budget.Budget) {
	if o.negative && !h.negative {
		h.widen(b, true)
	}
	h.Merge(&o.Histogram)
}

func (h *histogram) empty() bool { return h.Count == 0 }

func (h *histogram) reset() { h.Reset() }
