package rebucket

import (
	"math"
	"math/bits"
	"slices"
)

// cut is a target bound with its position in the source. Cuts are in the order of the source's buckets. The cuts of one
// bucket form a group.
//
// A target bound that equals a source bound is a cut at the start of the bucket above: its share is 0.
type cut struct {
	bucket int32   // number of the source bucket, in the source's numbering
	end    int32   // index of the first cut after the group
	weight uint64  // share of the tree node's range below the cut, in units of 2^-64; see fullWeight
	kind   kind    // of the group's least certain cut
	bound  float64 // target bound
	share  float64 // of the bucket's count below the cut

	// before and after are the widths of the bucket's neighbours in units of the bucket's own width; see span.ratio.
	// They are 0 without a neighbour.
	before, after float32
}

// fullWeight stands for a share of one, which needs 65 bits. The largest weight of a share below one is 2^64 - 2^11.
const fullWeight = math.MaxUint64

// kind says how certain the counts on both sides of a cut are, from the most to the least certain.
type kind uint8

const (
	exact    kind = iota // the cut is at a source bound
	assumed              // the cut is in a range without observations by assumption, such as below zero
	straddle             // the cut is inside a bucket
	open                 // the cut is inside an open end
)

// worst returns the least certain kind among the cuts.
func worst(cuts []cut) (k kind) {
	for i := range cuts {
		k = max(k, cuts[i].kind)
	}
	return k
}

// splits reports whether a cut lies inside a bucket with two bounds.
func splits(cuts []cut) bool {
	return slices.ContainsFunc(cuts, func(c cut) bool { return c.kind == straddle })
}

// location is a target bound's position in the source, before the cuts are grouped. The fields are those of cut.
type location struct {
	bucket int32
	bound  float64
	share  float64
	kind   kind
}

// run is a sequence of source buckets with their cuts. Negative values have a run of their own, in which bounds are
// magnitudes.
type run struct {
	cuts  []cut
	split Split
	// extent returns the bounds of a bucket. The bound of an open end is infinite. Both bounds of a bucket that does not
	// exist are NaN.
	extent func(bucket int64) (lo, hi float64)
	// floor is the least possible value in bucket 0 if its lower bound is only an assumption. Otherwise it is NaN.
	floor float64
}

// newRun returns a run with the cuts of the locations, which are in order.
func newRun(locations []location, split Split, floor float64, extent func(int64) (lo, hi float64)) run {
	cuts := make([]cut, len(locations))
	for first := 0; first < len(locations); {
		end, worst := first, exact
		for ; end < len(locations) && locations[end].bucket == locations[first].bucket; end++ {
			worst = max(worst, locations[end].kind)
		}
		b := int64(locations[first].bucket)
		own := spanOf(extent(b))
		before, after := own.ratio(spanOf(extent(b-1))), own.ratio(spanOf(extent(b+1)))
		for i := first; i < end; i++ {
			p := &locations[i]
			cuts[i] = cut{
				bucket: p.bucket, end: int32(end), kind: worst,
				bound: p.bound, share: p.share, before: float32(before), after: float32(after),
			}
		}
		setWeights(cuts, locations, first, end, 0, 1)
		first = end
	}
	return run{cuts: cuts, split: split, extent: extent, floor: floor}
}

// cutsOpenEnd reports whether a bucket is an open end with cuts inside it.
func (r *run) cutsOpenEnd(bucket int32) bool {
	return slices.ContainsFunc(r.cuts, func(c cut) bool { return c.bucket == bucket && c.kind == open })
}

// setWeights sets the weights of the balanced tree over the cuts [first, end). lo and hi are the shares of the bucket's
// count at the ends of their range.
func setWeights(cuts []cut, locations []location, first, end int, lo, hi float64) {
	if first >= end {
		return
	}
	middle := first + (end-first)/2
	p := min(max(locations[middle].share, lo), hi)
	cuts[middle].weight = weight(p-lo, hi-lo)
	setWeights(cuts, locations, first, middle, lo, p)
	setWeights(cuts, locations, middle+1, end, p, hi)
}

// weight returns floor(part/whole * 2^64).
func weight(part, whole float64) uint64 {
	switch p := part / whole; {
	case !(p > 0): // or NaN for 0/0: the range will receive no counts
		return 0
	case p >= 1:
		return fullWeight
	default:
		return uint64(p * 0x1p64)
	}
}

// below returns the part of n below a cut of weight w.
func below(n, w uint64) uint64 {
	if w == fullWeight {
		return n
	}
	high, _ := bits.Mul64(n, w)
	return high
}

// Tally measures the assumptions of a conversion.
type Tally struct {
	// Straddled is the largest count of a source bucket that was cut. It bounds the error of the cumulative count at
	// any target bound.
	Straddled uint64
	// Open is the number of observations that were placed by the rule for open ends.
	Open uint64
}

// parts are the target buckets that receive the counts between cuts.
type parts struct {
	counts []uint64 // of all target buckets
	at     int      // target bucket of the part below the first cut
	step   int      // from one part to the next: 1, or -1 for negative values
}

// sweep adds counts, whose first bucket has the number offset, to the parts between the cuts. A count is divided by the
// fixed weights of its cuts or, if known is not nil, by the counts around it.
func (r *run) sweep(counts []uint64, offset int64, known *ends, to parts, tally *Tally) {
	cuts, at, next := r.cuts, to.at, 0
	var f fit
	for i := 0; i < len(cuts); {
		c := &cuts[i]
		index := int64(c.bucket) - offset
		if index >= int64(len(counts)) {
			break
		}
		end := int(c.end)
		if index >= 0 {
			var sum uint64
			for _, n := range counts[next:index] {
				sum += n
			}
			to.counts[at] += sum
			n := counts[index]
			next = int(index) + 1
			switch {
			case n == 0:
			case known != nil && c.kind != exact:
				r.fit(&f, c, counts, int(index), known)
				f.divide(cuts[i:end], at, to, tally)
			case end == i+1:
				tally.note(c.kind, n)
				l := below(n, c.weight)
				to.counts[at] += l
				to.counts[at+to.step] += n - l
			default:
				tally.note(c.kind, n)
				divide(cuts, i, end, n, at, to)
			}
		}
		at += (end - i) * to.step
		i = end
	}
	var sum uint64
	for _, n := range counts[next:] {
		sum += n
	}
	to.counts[at] += sum
}

// divide distributes n over the parts of the cuts [first, end). The part below cut first is the target bucket at.
func divide(cuts []cut, first, end int, n uint64, at int, to parts) {
	if first >= end {
		to.counts[at] += n
		return
	}
	middle := first + (end-first)/2
	l := below(n, cuts[middle].weight)
	divide(cuts, first, middle, l, at, to)
	divide(cuts, middle+1, end, n-l, at+(middle+1-first)*to.step, to)
}

func (t *Tally) note(k kind, n uint64) {
	switch k {
	case straddle:
		t.Straddled = max(t.Straddled, n)
	case open:
		t.Open += n
	}
}
