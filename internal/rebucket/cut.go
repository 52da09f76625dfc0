package rebucket

import (
	"math"
	"math/bits"
)

// cut is a target bound's place in the source. Cuts are in the order of the
// source's buckets; those of one bucket form a group.
//
// A target bound equal to a source bound is a cut at the very start of the bucket
// above it: share 0, everything above.
type cut struct {
	bucket int32  // the source bucket, in the source's own numbering
	end    int32  // end of the group, exclusive
	weight uint64 // share of the tree node's range that lies below, of 2^64; see all
	kind   kind   // of the group
}

// all is the weight that stands for a share of one, which 64 bits do not hold.
// The largest weight of a share below one is 2^64 - 2^11.
const all = math.MaxUint64

// kind says how much is known of the counts that a group cuts.
type kind uint8

const (
	exact    kind = iota // at a bound of the source
	straddle             // inside a bucket
	open                 // inside an open end
)

// place is a cut before its group is known.
type place struct {
	bucket int32
	share  float64
	kind   kind
}

// newCuts builds the groups and their trees from places in order.
func newCuts(places []place) []cut {
	cuts := make([]cut, len(places))
	for first := 0; first < len(places); {
		end, worst := first, exact
		for ; end < len(places) && places[end].bucket == places[first].bucket; end++ {
			worst = max(worst, places[end].kind)
		}
		for i := first; i < end; i++ {
			cuts[i] = cut{bucket: places[i].bucket, end: int32(end), kind: worst}
		}
		plant(cuts, places, first, end, 0, 1)
		first = end
	}
	return cuts
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
		return uint64(math.Ldexp(p, 64))
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

// sweep adds counts, numbered from offset, to the parts between cuts.
func sweep(cuts []cut, counts []uint64, offset int64, to parts, tally *Tally) {
	at, next := to.at, 0
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
			if n != 0 {
				tally.note(c.kind, n)
				if end == i+1 {
					l := below(n, c.weight)
					to.counts[at] += l
					to.counts[at+to.step] += n - l
				} else {
					divide(cuts, i, end, n, at, to)
				}
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
