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
}

// NewPlan returns the plan from the layout of the source bounds to that of the
// target bounds; both must be increasing and finite.
func NewPlan(target, source []float64, split Split) *Plan {
	places := make([]place, len(target))
	for i, bound := range target {
		places[i] = locate(bound, source, split)
	}
	source = slices.Clone(source) // the caller's may be scratch space; the plan lives on
	extent := func(bucket int64) (lo, hi float64) {
		n := int64(len(source))
		if bucket < 0 || bucket > n {
			return math.NaN(), math.NaN()
		}
		lo, hi = math.Inf(-1), math.Inf(1)
		if bucket > 0 {
			lo = source[bucket-1]
		}
		if bucket < n {
			hi = source[bucket]
		}
		return lo, hi
	}
	return &Plan{target: len(target) + 1, run: newRun(places, split, extent)}
}

// locate finds a target bound among the source's buckets. In an open end the cut
// has everything on the side of the end's bound.
func locate(bound float64, source []float64, split Split) place {
	i := sort.SearchFloat64s(source, bound) // the first with source[i] >= bound
	switch {
	case i == len(source):
		return place{bucket: int32(i), bound: bound, share: 1, kind: open}
	case source[i] == bound:
		return place{bucket: int32(i) + 1, bound: bound, kind: exact}
	case i == 0:
		return place{bucket: 0, bound: bound, share: 0, kind: open}
	default:
		return place{bucket: int32(i), bound: bound, share: split.share(source[i-1], bound, source[i]), kind: straddle}
	}
}

// Buckets returns the number of buckets of the target.
func (p *Plan) Buckets() int { return p.target }

// Exact tells whether no bucket with both bounds is cut.
func (p *Plan) Exact() bool { return !hasStraddle(p.run.cuts) }

// Apply replaces target, one element a bucket, by the converted counts. Their sum
// is that of source, which must not exceed the largest uint64. Shares are fixed: see
// the package comment.
func (p *Plan) Apply(target, source []uint64) Tally {
	clear(target)
	var tally Tally
	p.run.sweep(source, 0, nil, parts{target, 0, 1}, &tally)
	return tally
}

// Fit does what Apply does, but by the point's own counts and range: more exact, and
// only for points that stand for themselves, as those of delta streams do.
func (p *Plan) Fit(target, source []uint64, of Range) Tally {
	if !p.run.split.spreads() {
		return p.Apply(target, source)
	}
	clear(target)
	var tally Tally
	known := p.run.ends(source, 0, of, true, true)
	p.run.sweep(source, 0, &known, parts{target, 0, 1}, &tally)
	return tally
}

func hasStraddle(cuts []cut) bool {
	for i := range cuts {
		if cuts[i].kind == straddle {
			return true
		}
	}
	return false
}

// Explicit converts counts between two lists of bounds without keeping the plan:
// target receives len(targetBounds)+1 counts.
func Explicit(targetBounds, sourceBounds []float64, source, target []uint64, split Split) Tally {
	return NewPlan(targetBounds, sourceBounds, split).Apply(target, source)
}
