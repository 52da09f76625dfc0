package rebucket

import (
	"math"
	"slices"
	"sort"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// Layout is an exponential layout with a fixed range of buckets.
type Layout struct {
	Scale          int32
	ZeroThreshold  float64
	NegativeOffset int32
	Negative       int // number of buckets
	PositiveOffset int32
	Positive       int // number of buckets
}

// zeroReach is the zero threshold as a share of the far bound of a source bucket that touches zero. The bucket is spread
// over exponential buckets down to this threshold. With 2^-10, 10*2^scale buckets suffice, and about a thousandth of the
// bucket's observations goes to the zero bucket.
const zeroReach = 1.0 / 1024

// NewLayout returns the exponential layout for the range of the source bounds: the finest scale, at most maxScale, at
// which no sign has more than maxSize buckets. A maxSize below 2 becomes 2. The zero threshold is the larger one of the
// given threshold and zeroReach times the far bound of the buckets that touch zero, raised to the next bucket bound.
//
// The layout depends on the bounds alone, so it is the same for every point of a stream. ok is false if the source has
// no bound other than zero.
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

// reachOfZero returns zeroReach times the farthest bound of the buckets that touch zero, or 0 if no bucket touches it.
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

// extent returns the run of buckets for bounds with these magnitudes. It begins at the zero threshold or, without one, at
// the bucket of the nearest bound. It ends with the bucket beyond the farthest bound, which receives the open end.
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

// Bounds returns the bounds between the buckets in increasing order. The outermost buckets are open ends.
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

// Histogram sets h to the layout with the counts, one per bucket in the order of Bounds. h shares the memory of counts.
// The negative counts are reversed in place, because h orders them by magnitude.
func (l Layout) Histogram(h *expo.Histogram, counts []uint64) {
	negative := counts[:l.Negative]
	slices.Reverse(negative)
	h.Scale, h.ZeroThreshold, h.ZeroCount = l.Scale, l.ZeroThreshold, counts[l.Negative]
	h.Positive = expo.Buckets{Offset: l.PositiveOffset, Counts: counts[l.Negative+1:]}
	h.Negative = expo.Buckets{Offset: l.NegativeOffset, Counts: negative}
}
