package rebucket

import (
	"math"
	"sort"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// ExponentialPlan converts the counts of an exponential layout to a list of
// bounds. It depends on scale and zero threshold alone: offsets and lengths come
// with the counts.
type ExponentialPlan struct {
	target                   int // number of buckets
	zero                     int // target bucket of the value 0
	positive, zeros, negated []cut
	zeroAt, positiveAt       int // target buckets of part 0
}

// NewExponentialPlan returns the plan from exponential buckets to the layout of
// the target bounds, which must be increasing and finite. The zero bucket is
// spread linearly over [-zeroThreshold, zeroThreshold]. Negative buckets are split
// by magnitude, as the mirror image of the positive ones.
func NewExponentialPlan(target []float64, scale int32, zeroThreshold float64, split Split) *ExponentialPlan {
	if !(zeroThreshold > 0) || math.IsInf(zeroThreshold, 0) {
		zeroThreshold = 0
	}
	below := sort.SearchFloat64s(target, 0) // target bounds < 0
	p := &ExponentialPlan{
		target:     len(target) + 1,
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
	var places []place
	for _, bound := range target[p.positiveAt:] {
		places = append(places, source.locate(bound))
	}
	p.positive = newCuts(places)

	source.mirrored = true
	places = places[:0]
	for i := below - 1; i >= 0; i-- {
		places = append(places, source.locate(-target[i]))
	}
	p.negated = newCuts(places)

	places = places[:0]
	for _, bound := range target[p.zeroAt:] {
		if bound < zeroThreshold {
			places = append(places, place{share: split.share(-zeroThreshold, bound, zeroThreshold), kind: straddle})
		}
	}
	p.zeros = newCuts(places)
	return p
}

// magnitudes is one sign's side of an exponential layout.
type magnitudes struct {
	scale    int32
	split    Split
	zero     float64 // the bucket that holds the zero threshold begins there
	mirrored bool
}

func (m magnitudes) locate(bound float64) place {
	i := expo.Index(m.scale, bound)
	lo, hi := expo.LowerBound(m.scale, i), expo.UpperBound(m.scale, i)
	// Subnormal neighbours can round to the same float64; base^1024 is infinite.
	hi = min(hi, math.MaxFloat64)
	switch {
	case bound == hi:
		return place{bucket: i + 1, kind: exact}
	case lo < m.zero && m.zero < hi:
		if bound <= m.zero {
			return place{bucket: i, kind: exact}
		}
		lo = m.zero
	}
	if lo >= bound {
		return place{bucket: i, kind: exact}
	}
	if m.mirrored {
		return place{bucket: i, share: 1 - m.split.share(-hi, -bound, -lo), kind: straddle}
	}
	return place{bucket: i, share: m.split.share(lo, bound, hi), kind: straddle}
}

// Buckets returns the number of buckets of the target.
func (p *ExponentialPlan) Buckets() int { return p.target }

// Exact tells whether no bucket is cut at this scale, whatever its counts.
func (p *ExponentialPlan) Exact() bool {
	return !hasStraddle(p.positive) && !hasStraddle(p.negated) && !hasStraddle(p.zeros)
}

// Apply replaces target, one element a bucket, by the converted counts. Their sum
// is that of the source, which must not exceed the largest uint64.
func (p *ExponentialPlan) Apply(target []uint64, zeroCount uint64, positive, negative expo.Buckets) Tally {
	clear(target)
	var tally Tally
	if zeroCount != 0 {
		one := [1]uint64{zeroCount}
		sweep(p.zeros, one[:], 0, parts{target, p.zeroAt, 1}, &tally)
	}
	sweep(p.positive, positive.Counts, int64(positive.Offset), parts{target, p.positiveAt, 1}, &tally)
	sweep(p.negated, negative.Counts, int64(negative.Offset), parts{target, p.zero, -1}, &tally)
	return tally
}
