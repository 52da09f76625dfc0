package rebucket

import (
	"math"
	"slices"
	"sort"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// Layout is an exponential layout of fixed extent.
type Layout struct {
	Scale          int32
	ZeroThreshold  float64
	NegativeOffset int32
	Negative       int // number of buckets
	PositiveOffset int32
	Positive       int // number of buckets
}

// zeroReach is how far towards zero, as a share of its far bound, a bucket that
// touches zero is spread over exponential buckets: 2^-10, so that what remains for
// the zero bucket is a thousandth of it and 10*2^scale buckets suffice.
const zeroReach = 1.0 / 1024

// NewLayout returns the exponential layout for the values of the source bounds: the
// finest scale, at most maxScale, at which no sign has more than maxSize buckets
// (at least 2). The zero threshold is the given one or, if larger, zeroReach of the
// far bound of the buckets that touch zero, raised to the next bucket bound.
//
// The layout depends on bounds alone, so it is the same for every point of a
// stream. It is not ok for a source without any bound but zero.
func NewLayout(source []float64, maxScale int32, maxSize int, zeroThreshold float64) (l Layout, ok bool) {
	if len(source) == 0 || len(source) == 1 && source[0] == 0 {
		return Layout{}, false
	}
	threshold := max(zeroThreshold, reachOfZero(source))
	for scale := min(maxScale, expo.MaxScale); ; scale-- {
		l = layoutAt(scale, source, threshold)
		if l.Positive <= max(maxSize, 2) && l.Negative <= max(maxSize, 2) {
			return l, true
		}
	}
}

// reachOfZero returns zeroReach of the far bound of the buckets that touch zero, or 0 if
// none does.
func reachOfZero(source []float64) float64 {
	far := max(source[0], 0) // the lowest bucket of bounds above zero begins at zero
	for i := 1; i < len(source); i++ {
		if lo, hi := source[i-1], source[i]; lo <= 0 && hi >= 0 {
			far = max(far, -lo, hi)
		}
	}
	if far == 0 {
		return 0
	}
	return max(far*zeroReach, math.SmallestNonzeroFloat64)
}

func layoutAt(scale int32, source []float64, threshold float64) Layout {
	l := Layout{Scale: scale, ZeroThreshold: expo.RaiseToBound(scale, threshold)}
	first := sort.Search(len(source), func(i int) bool { return source[i] > 0 })
	if first < len(source) {
		l.PositiveOffset, l.Positive = l.extent(source[first], source[len(source)-1])
	}
	last := sort.SearchFloat64s(source, 0) - 1
	if last >= 0 {
		l.NegativeOffset, l.Negative = l.extent(-source[last], -source[0])
	}
	return l
}

// extent returns the run of buckets from the zero threshold, or from the one of
// the nearest bound if there is none, to the one just beyond the farthest bound,
// for the open end.
func (l Layout) extent(nearest, farthest float64) (offset int32, n int) {
	lo := expo.Index(l.Scale, nearest)
	if l.ZeroThreshold > 0 {
		lo = expo.Index(l.Scale, l.ZeroThreshold) + 1
	}
	hi := expo.Index(l.Scale, farthest)
	if expo.UpperBound(l.Scale, hi) == farthest {
		hi++
	}
	if hi < lo {
		return 0, 0
	}
	return lo, int(int64(hi) - int64(lo) + 1)
}

// Buckets returns the number of buckets, the zero bucket included.
func (l Layout) Buckets() int { return l.Negative + 1 + l.Positive }

// Bounds returns the bounds between the buckets from the most negative to the most
// positive. The outermost buckets are open ends.
func (l Layout) Bounds() []float64 {
	bounds := make([]float64, 0, l.Buckets()-1)
	for i := l.Negative - 1; i >= 0; i-- {
		bounds = append(bounds, -expo.LowerBound(l.Scale, l.NegativeOffset+int32(i)))
	}
	for i := range l.Positive {
		bounds = append(bounds, expo.LowerBound(l.Scale, l.PositiveOffset+int32(i)))
	}
	return bounds
}

// Histogram gives h the layout and the counts, one for each bucket in the order of
// Bounds. The buckets share counts, in which negative ones are reversed in place, so
// that they too go by magnitude.
func (l Layout) Histogram(h *expo.Histogram, counts []uint64) {
	negative := counts[:l.Negative]
	slices.Reverse(negative)
	h.Scale, h.ZeroThreshold, h.ZeroCount = l.Scale, l.ZeroThreshold, counts[l.Negative]
	h.Positive = expo.Buckets{Offset: l.PositiveOffset, Counts: counts[l.Negative+1:]}
	h.Negative = expo.Buckets{Offset: l.NegativeOffset, Counts: negative}
}
