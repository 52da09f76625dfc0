package rebucket

import (
	"math"
	"slices"
	"sort"
)

// Plan converts counts from one list of bounds to another.
type Plan struct {
	run run
	// toLayout says that the target is an exponential layout, which ends beside the source's outermost bounds. The
	// counts of open ends go into its outermost buckets, and the tally includes them although no target bound cuts the
	// open ends.
	toLayout bool
}

// NewPlan returns the plan from the layout of the source bounds to that of the target bounds. Both must be increasing
// and finite.
//
// If all source bounds are above zero, the lowest bucket is (0, bounds[0]]: such bounds belong to sizes and durations.
// Otherwise its counts go to the target's lowest bucket. Counts above the source's last bound always go to the target's
// highest bucket, because they are above every target bound as far as is known.
func NewPlan(target, source []float64, split Split) *Plan { return newPlan(target, source, split, 0) }

// NewLayoutPlan returns the plan to the bounds of an exponential layout, which [NewLayout] made for the source. Counts of
// an open end go into the bucket beside the source's outermost bound, where the layout ends.
func NewLayoutPlan(layout Layout, source []float64, split Split) *Plan {
	p := newPlan(layout.Bounds(), source, split, 1)
	p.toLayout = true
	return p
}

// newPlan returns a plan. above is the share of the highest bucket's count that lies below a target bound inside it.
func newPlan(target, source []float64, split Split, above float64) *Plan {
	source = slices.Clone(source) // the caller may reuse its slice
	locations := make([]location, len(target))
	for i, bound := range target {
		locations[i] = locate(bound, source, split, above)
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
	return &Plan{run: newRun(locations, split, floor, extent)}
}

// locate returns the location of a target bound among the source's buckets.
func locate(bound float64, source []float64, split Split, above float64) location {
	i := sort.SearchFloat64s(source, bound) // the first with source[i] >= bound
	switch {
	case i == len(source):
		return location{bucket: int32(i), bound: bound, share: above, kind: open}
	case source[i] == bound:
		return location{bucket: int32(i) + 1, bound: bound, kind: exact}
	case i > 0:
		return location{bucket: int32(i), bound: bound, share: split.share(source[i-1], bound, source[i]), kind: straddle}
	case source[0] <= 0:
		return location{bucket: 0, bound: bound, share: 1, kind: open}
	case bound <= 0:
		return location{bucket: 0, bound: bound, share: 0, kind: assumed}
	default:
		return location{bucket: 0, bound: bound, share: split.share(0, bound, source[0]), kind: straddle}
	}
}

// Exact reports whether every target bound is a source bound, so that no count depends on a share or a rule.
func (p *Plan) Exact() bool { return worst(p.run.cuts) == exact }

// Splits reports whether the plan cuts a bucket with two bounds.
func (p *Plan) Splits() bool { return splits(p.run.cuts) }

// Apply replaces target, which has one element per bucket, by the converted counts. Their sum is that of source, which
// must not exceed the largest uint64. The shares are fixed: see the package comment.
func (p *Plan) Apply(target, source []uint64) Tally {
	clear(target)
	var tally Tally
	p.run.sweep(source, 0, nil, parts{target, 0, 1}, &tally)
	p.noteOpenEnds(source, &tally)
	return tally
}

// noteOpenEnds adds the observations of open ends that no target bound cuts to the tally, if the target is an exponential
// layout.
func (p *Plan) noteOpenEnds(source []uint64, tally *Tally) {
	if !p.toLayout || len(source) == 0 {
		return
	}
	for _, bucket := range [...]int{0, len(source) - 1} {
		if lo, hi := p.run.extent(int64(bucket)); (math.IsInf(lo, -1) || math.IsInf(hi, 1)) && !p.run.cutsOpenEnd(int32(bucket)) {
			tally.Open += source[bucket]
		}
	}
}

// Fit is Apply with shares that depend on the point's counts and range. It is more accurate, and suitable for delta
// points only: see the package comment.
func (p *Plan) Fit(target, source []uint64, extent Range) Tally {
	if !p.run.split.spreads() {
		return p.Apply(target, source)
	}
	clear(target)
	var tally Tally
	known := p.run.ends(source, 0, extent, true, true)
	p.run.sweep(source, 0, &known, parts{target, 0, 1}, &tally)
	p.noteOpenEnds(source, &tally)
	return tally
}

// Explicit converts counts between two lists of bounds with a plan for one use. target receives len(targetBounds)+1
// counts.
func Explicit(targetBounds, sourceBounds []float64, source, target []uint64, split Split) Tally {
	return NewPlan(targetBounds, sourceBounds, split).Apply(target, source)
}
