package rebucket

import (
	"math"
	"math/bits"
	"slices"
)

// cut is a target bound's place in the source. Cuts are in the order of the
// source's buckets; those of one bucket form a group.
//
// A target bound equal to a source bound is a cut at the very start of the bucket
// above it: share 0, everything above.
type cut struct {
	bucket int32   // the source bucket, in the source's own numbering
	end    int32   // end of the group, exclusive
	weight uint64  // share of the tree node's range that lies below, of 2^64; see all
	kind   kind    // of the group
	bound  float64 // the target's
	share  float64 // of the bucket that lies below

	// Widths of the neighbouring buckets in units of the bucket's own, see ratio; 0
	// without a neighbour. Of the group.
	before, after float32
}

// all is the weight that stands for a share of one, which 64 bits do not contain.
// The largest weight of a share below one is 2^64 - 2^11.
const all = math.MaxUint64

// kind says how much is known of the counts that a group cuts.
type kind uint8

const (
	exact    kind = iota // at a bound of the source
	assumed              // where nothing is assumed to lie, as below zero
	straddle             // inside a bucket
	open                 // inside an open end
)

// worst is the kind of the cut that least is known about.
func worst(cuts []cut) (k kind) {
	for i := range cuts {
		k = max(k, cuts[i].kind)
	}
	return k
}

// splits reports whether a bucket is cut whose bounds are both known.
func splits(cuts []cut) bool {
	return slices.ContainsFunc(cuts, func(c cut) bool { return c.kind == straddle })
}

// place is a cut before its group is known.
type place struct {
	bucket int32
	bound  float64
	share  float64
	kind   kind
}

// run is a source's buckets in one direction, and where they are cut. Bounds of
// negative values are magnitudes.
type run struct {
	cuts  []cut
	split Split
	// extent returns the bounds of a bucket, infinite at an open end, not a number beyond.
	extent func(bucket int64) (lo, hi float64)
	// floor is how far down the observations of bucket 0 can lie where they are assumed to lie above the lower
	// bound of its extent. Elsewhere it is not a number.
	floor float64
}

// newRun builds the groups and their trees from places in order.
func newRun(places []place, split Split, floor float64, extent func(int64) (lo, hi float64)) run {
	cuts := make([]cut, len(places))
	for first := 0; first < len(places); {
		end, worst := first, exact
		for ; end < len(places) && places[end].bucket == places[first].bucket; end++ {
			worst = max(worst, places[end].kind)
		}
		b := int64(places[first].bucket)
		own := spanOf(extent(b))
		before, after := own.ratio(spanOf(extent(b-1))), own.ratio(spanOf(extent(b+1)))
		for i := first; i < end; i++ {
			p := &places[i]
			cuts[i] = cut{
				bucket: p.bucket, end: int32(end), kind: worst,
				bound: p.bound, share: p.share, before: float32(before), after: float32(after),
			}
		}
		plant(cuts, places, first, end, 0, 1)
		first = end
	}
	return run{cuts: cuts, split: split, extent: extent, floor: floor}
}

// opens reports whether a bucket is an open end with cuts in it.
func (r *run) opens(bucket int32) bool {
	return slices.ContainsFunc(r.cuts, func(c cut) bool { return c.bucket == bucket && c.kind == open })
}

// plant sets the weights of the balanced tree over cuts [first, end), whose
// range of the bucket is [lo, hi] as shares.
func plant(cuts []cut, places []place, first, end int, lo, hi float64) {
	if first >= end {
		return
	}
	middle := first + (end-first)/2
	p := min(max(places[middle].share, lo), hi)
	cuts[middle].weight = weight(p-lo, hi-lo)
	plant(cuts, places, first, middle, lo, p)
	plant(cuts, places, middle+1, end, p, hi)
}

// weight returns floor(part/whole * 2^64).
func weight(part, whole float64) uint64 {
	switch p := part / whole; {
	case !(p > 0): // also 0/0: nothing will come here
		return 0
	case p >= 1:
		return all
	default:
		return uint64(p * 0x1p64)
	}
}

// below returns the part of n that lies below a cut of weight w.
func below(n, w uint64) uint64 {
	if w == all {
		return n
	}
	high, _ := bits.Mul64(n, w)
	return high
}

// Tally says what a conversion had to assume.
type Tally struct {
	// Straddled is the count of the fullest source bucket that was cut: the bound
	// on the error of the cumulative count at any target bound.
	Straddled uint64
	// Open is the count placed by the rule for open ends.
	Open uint64
}

// parts receives counts; mirrored, they go from high buckets to low ones.
type parts struct {
	counts []uint64
	at     int // bucket of part 0
	step   int // 1, or -1 for negative values by magnitude
}

// sweep adds counts, numbered from offset, to the parts between cuts: by the cuts'
// fixed weights or, if ends are given, by the counts themselves.
func (r *run) sweep(counts []uint64, offset int64, known *ends, to parts, tally *Tally) {
	cuts, at, next := r.cuts, to.at, 0
	var f fit
	for i := 0; i < len(cuts); {
		c := &cuts[i]
		place := int64(c.bucket) - offset
		if place >= int64(len(counts)) {
			break
		}
		end := int(c.end)
		if place >= 0 {
			var sum uint64
			for _, n := range counts[next:place] {
				sum += n
			}
			to.counts[at] += sum
			n := counts[place]
			next = int(place) + 1
			switch {
			case n == 0:
			case known != nil && c.kind != exact:
				r.fit(&f, c, counts, int(place), known)
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

// divide spreads n over the parts of the cuts [first, end); the part below cut
// first is at.
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
