package rebucket

import (
	"math"
	"slices"
	"sort"
)

// Plan converts counts from one list of bounds to another.
type Plan struct {
	target int // number of buckets
	run    run
	// beside says that open ends are counted although no target bound lies in them: their counts went beside
	// the source's bound, as the target does not reach farther.
	beside bool
}

// NewPlan returns the plan from the layout of the source bounds to that of the
// target bounds; both must be increasing and finite.
//
// The lowest bucket of a source whose bounds are above zero is (0, bounds[0]], for such are the bounds of
// sizes and durations. Otherwise its counts go to the target's lowest bucket, and in any case those above the
// source's last bound go to the target's highest: nothing below that bound is known of them.
func NewPlan(target, source []float64, split Split) *Plan { return newPlan(target, source, split, 0) }

// NewLayoutPlan returns the plan to the bounds of an exponential layout, which [NewLayout] made for the
// source. Counts of an open end go into the bucket beside the source's bound: the layout ends there.
func NewLayoutPlan(layout Layout, source []float64, split Split) *Plan {
	p := newPlan(layout.Bounds(), source, split, 1)
	p.beside = true
	return p
}

// newPlan gets the share of the highest bucket's counts that lies below a target bound inside it.
func newPlan(target, source []float64, split Split, above float64) *Plan {
	source = slices.Clone(source) // the caller's may be scratch space; the plan lives on
	places := make([]place, len(target))
	for i, bound := range target {
		places[i] = locate(bound, source, split, above)
	}
	floor := math.NaN()
	if len(source) > 0 && source[0] > 0 {
		floor = math.Inf(-1)
	}
	extent := func(bucket int64) (lo, hi float64) {
		n := int64(len(source))
		if bucket < 0 || bucket > n {
			return math.NaN(), math.NaN()
		}
		lo, hi = math.Inf(-1), math.Inf(1)
		switch {
		case bucket > 0:
			lo = source[bucket-1]
		case n > 0 && source[0] > 0:
			lo = 0
		}
		if bucket < n {
			hi = source[bucket]
		}
		return lo, hi
	}
	return &Plan{target: len(target) + 1, run: newRun(places, split, floor, extent)}
}

// locate finds a target bound among the source's buckets.
func locate(bound float64, source []float64, split Split, above float64) place {
	i := sort.SearchFloat64s(source, bound) // the first with source[i] >= bound
	switch {
	case i == len(source):
		return place{bucket: int32(i), bound: bound, share: above, kind: open}
	case source[i] == bound:
		return place{bucket: int32(i) + 1, bound: bound, kind: exact}
	case i > 0:
		return place{bucket: int32(i), bound: bound, share: split.share(source[i-1], bound, source[i]), kind: straddle}
	case source[0] <= 0:
		return place{bucket: 0, bound: bound, share: 1, kind: open}
	case bound <= 0:
		return place{bucket: 0, bound: bound, share: 0, kind: assumed}
	default:
		return place{bucket: 0, bound: bound, share: split.share(0, bound, source[0]), kind: straddle}
	}
}

// Buckets returns the number of buckets of the target.
func (p *Plan) Buckets() int { return p.target }

// Exact reports whether every target bound is one of the source, so that nothing is placed by a share or by
// a rule.
func (p *Plan) Exact() bool { return worst(p.run.cuts) == exact }

// Splits reports whether a bucket is cut whose both bounds are known.
func (p *Plan) Splits() bool { return splits(p.run.cuts) }

// Apply replaces target, one element a bucket, by the converted counts. Their sum
// is that of source, which must not exceed the largest uint64. Shares are fixed: see
// the package comment.
func (p *Plan) Apply(target, source []uint64) Tally {
	clear(target)
	var tally Tally
	p.run.sweep(source, 0, nil, parts{target, 0, 1}, &tally)
	p.noteOpen(source, &tally)
	return tally
}

// noteOpen counts the observations of open ends that no target bound lies in, where that is not exact.
func (p *Plan) noteOpen(source []uint64, tally *Tally) {
	if !p.beside || len(source) == 0 {
		return
	}
	for _, bucket := range [...]int{0, len(source) - 1} {
		if lo, hi := p.run.extent(int64(bucket)); (math.IsInf(lo, -1) || math.IsInf(hi, 1)) && !p.run.opens(int32(bucket)) {
			tally.Open += source[bucket]
		}
	}
}

// Fit does what Apply does, but by the point's own counts and range: more exact, and
// only for points that stand for themselves, as those of delta streams do.
func (p *Plan) Fit(target, source []uint64, extent Range) Tally {
	if !p.run.split.spreads() {
		return p.Apply(target, source)
	}
	clear(target)
	var tally Tally
	known := p.run.ends(source, 0, extent, true, true)
	p.run.sweep(source, 0, &known, parts{target, 0, 1}, &tally)
	p.noteOpen(source, &tally)
	return tally
}

// Explicit converts counts between two lists of bounds without keeping the plan:
// target receives len(targetBounds)+1 counts.
func Explicit(targetBounds, sourceBounds []float64, source, target []uint64, split Split) Tally {
	return NewPlan(targetBounds, sourceBounds, split).Apply(target, source)
}
