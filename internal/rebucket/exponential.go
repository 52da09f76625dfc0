package rebucket

import (
	"math"
	"sort"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// ExponentialPlan converts the counts of an exponential layout to a list of bounds. It depends on scale and zero
// threshold. Offsets and lengths are arguments of Apply and Fit.
type ExponentialPlan struct {
	zero                     int // target bucket of the value 0
	positive, zeros, negated run // negated has the negative buckets, by magnitude
	zeroAt, positiveAt       int // target bucket below the first cut of zeros and of positive
}

// ZeroSide says where the observations of a zero bucket lie.
type ZeroSide uint8

const (
	// ZeroPositive means [0, zeroThreshold]. It applies to histograms without negative observations, as in Prometheus.
	ZeroPositive ZeroSide = iota
	// ZeroBoth means [-zeroThreshold, zeroThreshold].
	ZeroBoth
)

// ZeroSideOf returns the zero side of a histogram with these negative buckets.
func ZeroSideOf(negative expo.Buckets) ZeroSide {
	if empty(negative.Counts) {
		return ZeroPositive
	}
	return ZeroBoth
}

// NewExponentialPlan returns the plan from exponential buckets to the layout of the target bounds, which must be
// increasing and finite. The observations of the zero bucket are spread linearly over its side. Negative buckets are
// split by magnitude, as the mirror image of positive ones.
func NewExponentialPlan(target []float64, scale int32, zeroThreshold float64, zero ZeroSide, split Split) *ExponentialPlan {
	if !(zeroThreshold > 0) || math.IsInf(zeroThreshold, 0) {
		zeroThreshold = 0
	}
	below := sort.SearchFloat64s(target, 0) // target bounds < 0
	p := &ExponentialPlan{
		zero:       below,
		positiveAt: below,
		zeroAt:     below,
	}
	if zeroThreshold > 0 {
		p.zeroAt = sort.Search(len(target), func(i int) bool { return target[i] > -zeroThreshold })
	}
	if below < len(target) && target[below] == 0 {
		p.positiveAt++
	}

	source := magnitudes{scale: scale, split: split, zero: zeroThreshold}
	var locations []location
	for _, bound := range target[p.positiveAt:] {
		locations = append(locations, source.locate(bound))
	}
	p.positive = newRun(locations, split, math.NaN(), source.extent)

	source.mirrored = true
	locations = locations[:0]
	for i := below - 1; i >= 0; i-- {
		locations = append(locations, source.locate(-target[i]))
	}
	p.negated = newRun(locations, split, math.NaN(), source.extent)

	p.zeros = newZeroRun(target[p.zeroAt:], zeroThreshold, zero, split)
	return p
}

// newZeroRun cuts the zero bucket at the target bounds within it.
func newZeroRun(target []float64, threshold float64, zero ZeroSide, split Split) run {
	low, floor := -threshold, math.NaN()
	if zero == ZeroPositive {
		low, floor = 0, -threshold
	}
	var locations []location
	for _, bound := range target {
		switch {
		case bound >= threshold:
		case bound <= low:
			locations = append(locations, location{bound: bound, share: 0, kind: assumed})
		default:
			locations = append(locations, location{bound: bound, share: split.share(low, bound, threshold), kind: straddle})
		}
	}
	return newRun(locations, split, floor, func(bucket int64) (lo, hi float64) {
		if bucket != 0 {
			return math.NaN(), math.NaN()
		}
		return low, threshold
	})
}

// magnitudes are the buckets of one sign in an exponential layout.
type magnitudes struct {
	scale    int32
	split    Split
	zero     float64 // zero threshold
	mirrored bool    // the values are negative
}

// extent returns the magnitudes at the ends of a bucket. A bucket that contains the zero threshold begins there.
func (m magnitudes) extent(bucket int64) (lo, hi float64) {
	if bucket < math.MinInt32 || bucket > math.MaxInt32 {
		return math.NaN(), math.NaN()
	}
	lo, hi = expo.LowerBound(m.scale, int32(bucket)), expo.UpperBound(m.scale, int32(bucket))
	hi = min(hi, math.MaxFloat64) // base^1024 is infinite
	if lo < m.zero && m.zero < hi {
		lo = m.zero
	}
	return lo, hi
}

// locate returns the location of a bound, given by its magnitude.
func (m magnitudes) locate(bound float64) location {
	i := expo.Index(m.scale, bound)
	lo, hi := m.extent(int64(i))
	switch {
	case bound == hi:
		return location{bucket: i + 1, bound: bound, kind: exact}
	case bound <= lo: // the bounds of neighbouring subnormal buckets can round to the same float64
		return location{bucket: i, bound: bound, kind: exact}
	}
	if m.mirrored {
		return location{bucket: i, bound: bound, share: 1 - m.split.share(-hi, -bound, -lo), kind: straddle}
	}
	return location{bucket: i, bound: bound, share: m.split.share(lo, bound, hi), kind: straddle}
}

// Exact reports whether the plan cuts no bucket.
func (p *ExponentialPlan) Exact() bool {
	return worst(p.positive.cuts) == exact && worst(p.negated.cuts) == exact && worst(p.zeros.cuts) == exact
}

// Splits reports whether the plan cuts a bucket inside its bounds.
func (p *ExponentialPlan) Splits() bool {
	return splits(p.positive.cuts) || splits(p.negated.cuts) || splits(p.zeros.cuts)
}

// CutsZero reports whether the plan cuts the zero bucket, so that its result depends on the ZeroSide.
func (p *ExponentialPlan) CutsZero() bool { return len(p.zeros.cuts) > 0 }

// Apply replaces target, which has one element per bucket, by the converted counts. Their sum is that of the source,
// which must not exceed the largest uint64. The shares are fixed: see the package comment.
func (p *ExponentialPlan) Apply(target []uint64, zeroCount uint64, positive, negative expo.Buckets) Tally {
	clear(target)
	var tally Tally
	if zeroCount != 0 {
		one := [1]uint64{zeroCount}
		p.zeros.sweep(one[:], 0, nil, p.zerosTo(target), &tally)
	}
	p.positive.sweep(positive.Counts, int64(positive.Offset), nil, p.positiveTo(target), &tally)
	p.negated.sweep(negative.Counts, int64(negative.Offset), nil, p.negatedTo(target), &tally)
	return tally
}

// Fit is Apply with shares that depend on the point's counts and range. It is more accurate, and suitable for delta
// points only: see the package comment.
func (p *ExponentialPlan) Fit(target []uint64, zeroCount uint64, positive, negative expo.Buckets, extent Range) Tally {
	if !p.positive.split.spreads() {
		return p.Apply(target, zeroCount, positive, negative)
	}
	clear(target)
	var tally Tally
	// The minimum is in the lowest run with counts, the maximum in the highest one.
	noPositive, noNegative := empty(positive.Counts), empty(negative.Counts)
	noZero := zeroCount == 0
	if !noZero {
		one := [1]uint64{zeroCount}
		known := p.zeros.ends(one[:], 0, extent, noNegative, noPositive)
		p.zeros.sweep(one[:], 0, &known, p.zerosTo(target), &tally)
	}
	known := p.positive.ends(positive.Counts, int64(positive.Offset), extent, noNegative && noZero, true)
	p.positive.sweep(positive.Counts, int64(positive.Offset), &known, p.positiveTo(target), &tally)
	mirrored := Range{Min: -extent.Max, Max: -extent.Min}
	known = p.negated.ends(negative.Counts, int64(negative.Offset), mirrored, noPositive && noZero, true)
	known.mirrored = true
	p.negated.sweep(negative.Counts, int64(negative.Offset), &known, p.negatedTo(target), &tally)
	return tally
}

func (p *ExponentialPlan) zerosTo(target []uint64) parts { return parts{target, p.zeroAt, 1} }

func (p *ExponentialPlan) positiveTo(target []uint64) parts { return parts{target, p.positiveAt, 1} }

func (p *ExponentialPlan) negatedTo(target []uint64) parts { return parts{target, p.zero, -1} }

func empty(counts []uint64) bool {
	for _, n := range counts {
		if n != 0 {
			return false
		}
	}
	return true
}
