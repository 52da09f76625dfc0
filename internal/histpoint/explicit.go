package histpoint

import (
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

// Explicit is the layout and the counts of an explicit histogram. Counts has one element more than Bounds. Bucket i
// counts (Bounds[i-1], Bounds[i]]: upper-inclusive. Loading reuses the memory of the slices.
type Explicit struct {
	Bounds []float64
	Counts []uint64
	Count  uint64
	// Restated says that the point listed +Inf as its last bound. Bounds does not contain it.
	Restated bool

	boundsErr error // the error of checking Bounds
}

// LoadExplicit copies layout and counts of a point to h. A point without buckets gets one bucket, from -Inf to +Inf. An
// error wraps [ErrInvalid], and h must not be used then, unless the error is a [CountError].
//
// Consecutive points mostly have the same bounds. same reports that the bounds are those that h already had: they are
// not checked again, and everything that the caller has derived from them remains valid.
func LoadExplicit(h *Explicit, p pmetric.HistogramDataPoint) (same bool, err error) {
	counts, bounds := p.BucketCounts(), p.ExplicitBounds()
	h.Count = p.Count()
	n := bounds.Len() // number of bounds without +Inf
	h.Restated = n > 0 && math.IsInf(bounds.At(n-1), 1)
	if h.Restated {
		n--
	}
	var total total
	switch {
	case counts.Len() == 0 && bounds.Len() == 0:
		h.Counts = append(h.Counts[:0], h.Count)
		total.add(h.Count)
	case counts.Len() == bounds.Len()+1, h.Restated && counts.Len() == bounds.Len():
		h.Counts = total.load(h.Counts, counts)
		if len(h.Counts) > n+1 { // the last count is that of (+Inf, +Inf]
			h.Counts[n] = expo.AddSat(h.Counts[n], h.Counts[n+1])
			h.Counts = h.Counts[:n+1]
		}
	default:
		return false, fmt.Errorf("%w: %d bounds with %d bucket counts", ErrInvalid, bounds.Len(), counts.Len())
	}
	if same = equal(h.Bounds, bounds, n); !same {
		h.Bounds = h.Bounds[:0]
		for i := range n {
			h.Bounds = append(h.Bounds, bounds.At(i))
		}
		h.boundsErr = checkBounds(h.Bounds)
	}
	if h.boundsErr != nil {
		return same, h.boundsErr
	}
	return same, total.check(h.Count)
}

// StoreExplicit copies layout, counts and count of h to a point. It does not change sum, minimum and maximum; see
// [SetTotals].
func StoreExplicit(p pmetric.HistogramDataPoint, h *Explicit) {
	p.SetCount(h.Count)
	p.ExplicitBounds().FromRaw(h.Bounds)
	p.BucketCounts().FromRaw(h.Counts)
}

// equal compares a with the first n elements of b by ==, so that bounds with a NaN are never equal.
func equal(a []float64, b pcommon.Float64Slice, n int) bool {
	if len(a) != n {
		return false
	}
	for i, v := range a {
		if v != b.At(i) {
			return false
		}
	}
	return true
}

func checkBounds(bounds []float64) error {
	for i, b := range bounds {
		if !floats.IsFinite(b) {
			return fmt.Errorf("%w: bounds[%d] is %v", ErrInvalid, i, b)
		}
		if i > 0 && b <= bounds[i-1] {
			return fmt.Errorf("%w: bounds[%d] is %v after %v", ErrInvalid, i, b, bounds[i-1])
		}
	}
	return nil
}
