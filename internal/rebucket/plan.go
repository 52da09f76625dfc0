package rebucket

import "sort"

// Plan converts counts from one list of bounds to another.
type Plan struct {
	source, target int // number of buckets
	cuts           []cut
}

// NewPlan returns the plan from the layout of the source bounds to that of the
// target bounds; both must be increasing and finite.
func NewPlan(target, source []float64, split Split) *Plan {
	places := make([]place, len(target))
	for i, bound := range target {
		places[i] = locate(bound, source, split)
	}
	return &Plan{source: len(source) + 1, target: len(target) + 1, cuts: newCuts(places)}
}

// locate finds a target bound among the source's buckets. In an open end the cut
// has everything on the side of the end's bound.
func locate(bound float64, source []float64, split Split) place {
	i := sort.SearchFloat64s(source, bound) // the first with source[i] >= bound
	switch {
	case i == len(source):
		return place{bucket: int32(i), share: 1, kind: open}
	case source[i] == bound:
		return place{bucket: int32(i) + 1, kind: exact}
	case i == 0:
		return place{bucket: 0, share: 0, kind: open}
	default:
		return place{bucket: int32(i), share: split.share(source[i-1], bound, source[i]), kind: straddle}
	}
}

// Buckets returns the number of buckets of the target.
func (p *Plan) Buckets() int { return p.target }

// Exact tells whether no bucket with both bounds is cut.
func (p *Plan) Exact() bool { return !hasStraddle(p.cuts) }

// Apply replaces target, one element a bucket, by the converted counts. Their sum
// is that of source, which must not exceed the largest uint64.
func (p *Plan) Apply(target, source []uint64) Tally {
	clear(target)
	var tally Tally
	sweep(p.cuts, source, 0, parts{target, 0, 1}, &tally)
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
