package series

import (
	"math"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// ExplicitValue is a timer, histogram or distribution in buckets with configured bounds.
type ExplicitValue struct{ tallyValue[*ExplicitHistogram] }

func newExplicits(tables int, b *budget.Budget, bounds []float64) *tallies[*ExplicitHistogram] {
	return newTallies(Explicit, tables, b, func() *ExplicitHistogram { return newExplicit(bounds) },
		func(v tallyValue[*ExplicitHistogram]) *Series { return withValue(ExplicitValue{v}) })
}

// Histogram returns the histogram of the merged values, or nil if there are none. It is valid until the next merge, clear or
// Histogram of any series.
func (v *ExplicitValue) Histogram() *ExplicitHistogram { return v.buckets() }

// ExplicitHistogram counts values between bounds. Counts saturate at the largest uint64.
type ExplicitHistogram struct {
	Bounds        []float64 // increasing; all histograms of the configuration share them
	Counts        []uint64  // Counts[i] counts values in (Bounds[i-1], Bounds[i]]: upper-inclusive
	Count         uint64
	Sum, Min, Max float64
}

func newExplicit(bounds []float64) *ExplicitHistogram {
	h := &ExplicitHistogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
	h.reset()
	return h
}

// Record counts n values, which must be finite.
func (h *ExplicitHistogram) Record(v float64, n uint64) {
	if n == 0 {
		return
	}
	h.Count = expo.AddSat(h.Count, n)
	h.Sum += v * float64(n)
	h.Min, h.Max = min(h.Min, v), max(h.Max, v)
	at, _ := slices.BinarySearch(h.Bounds, v) // index of the first bound that is not below v
	h.Counts[at] = expo.AddSat(h.Counts[at], n)
}

const explicitBytes = 96 // size of the struct

func (h *ExplicitHistogram) size() int { return explicitBytes + bucketBytes*len(h.Counts) }

func (h *ExplicitHistogram) admit(bool, account) bool { return true }

func (h *ExplicitHistogram) absorb(o *ExplicitHistogram, _ *budget.Budget) {
	h.Count = expo.AddSat(h.Count, o.Count)
	h.Sum += o.Sum
	h.Min, h.Max = min(h.Min, o.Min), max(h.Max, o.Max)
	for i, n := range o.Counts {
		h.Counts[i] = expo.AddSat(h.Counts[i], n)
	}
}

func (h *ExplicitHistogram) reset() {
	clear(h.Counts)
	h.Count, h.Sum = 0, 0
	h.Min, h.Max = math.Inf(1), math.Inf(-1)
}
