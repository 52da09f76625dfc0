package rebucket

import (
	"math"
	"math/bits"
)

// fit is the distribution of observations within one bucket of a delta point:
//
//	lo                                  hi
//	 |1|             rest              |1|     1 observation at an end that is the minimum or the maximum
//	  left slope    F(t)    right slope
type fit struct {
	split       Split
	span               // contains all observations
	low, high   bool   // lo is the minimum, hi is the maximum; otherwise they are the bucket's bounds
	mirrored    bool   // see ends
	count, rest uint64 // rest excludes the observations at a minimum and a maximum
	left, right float64
}

// fit sets f to the distribution within the bucket whose first cut is c.
func (r *run) fit(f *fit, c *cut, counts []uint64, index int, known *ends) {
	f.split, f.mirrored = r.split, known.mirrored
	f.low, f.high = index == known.first, index == known.last
	f.count, f.rest = counts[index], counts[index]
	f.left, f.right = 1, 1
	if f.low || f.high {
		f.span = spanOf(r.extent(int64(c.bucket)))
	}
	if f.low {
		f.lo = known.low
		f.rest--
	}
	if f.high {
		f.hi = known.high
		f.rest -= min(f.rest, 1)
		if f.hi <= f.lo && !f.low { // the maximum is below the bucket's assumed lower bound
			f.span = spanOf(r.floor, f.hi)
		}
	}
	if r.split == PCHIP {
		f.bend(r, c, counts, index, known)
	}
}

// bend sets the slopes from the neighbours' densities.
func (f *fit) bend(r *run, c *cut, counts []uint64, index int, known *ends) {
	before, after := float64(c.before), float64(c.after)
	if f.low || f.high || index-1 == known.first || index+1 == known.last {
		before, after = f.ratios(r, int64(c.bucket), index, known)
	}
	n := float64(f.count)
	var below, above float64 // counts of the neighbours; exponential buckets outside the counts are empty
	if index > 0 {
		below = float64(counts[index-1])
	}
	if index+1 < len(counts) {
		above = float64(counts[index+1])
	}
	switch {
	case before > 0 && after > 0:
		f.left, f.right = slope(before, n, below), slope(after, n, above)
	case after > 0:
		f.left, f.right = endSlope(after, n, above), slope(after, n, above)
	case before > 0:
		f.left, f.right = slope(before, n, below), endSlope(before, n, below)
	}
}

// ratios returns the ratios of the neighbours' widths to the bucket's if one of these three buckets ends at the minimum
// or the maximum. A neighbour beyond the minimum or the maximum has the ratio 0.
func (f *fit) ratios(r *run, bucket int64, index int, known *ends) (before, after float64) {
	own := f.span
	if !f.low && !f.high {
		own = spanOf(r.extent(bucket))
	}
	if !f.low {
		s := spanOf(r.extent(bucket - 1))
		if index-1 == known.first {
			s.lo = known.low
		}
		before = own.ratio(s)
	}
	if !f.high {
		s := spanOf(r.extent(bucket + 1))
		if index+1 == known.last {
			s.hi = known.high
		}
		after = own.ratio(s)
	}
	return before, after
}

// divide distributes the bucket's count over the parts of its cuts. The part below the first cut is the target bucket at.
// Each cumulative count is rounded to the nearest integer, and is at least the one before.
func (f *fit) divide(cuts []cut, at int, to parts, tally *Tally) {
	var done uint64
	worst := exact
	for i := range cuts {
		n, kind := f.below(&cuts[i])
		n, worst = max(n, done), max(worst, kind)
		to.counts[at] += n - done
		at += to.step
		done = n
	}
	to.counts[at] += f.count - done
	tally.note(worst, f.rest)
}

// below returns the part of the count below a cut, and how certain it is.
func (f *fit) below(c *cut) (n uint64, k kind) {
	t, k := c.share, c.kind
	if f.low || f.high {
		switch {
		case f.low && (c.bound < f.lo || c.bound == f.lo && f.mirrored):
			return 0, exact
		case f.high && (c.bound > f.hi || c.bound == f.hi && !f.mirrored):
			return f.count, exact
		case math.IsInf(f.lo, -1), math.IsInf(f.hi, 1):
			// One end of the span is unknown: the share and the kind of the cut apply.
		case c.bound <= f.lo && !f.low:
			return 0, exact
		default:
			t, k = f.share(c.bound), straddle
		}
	}
	if f.split == PCHIP && k == straddle {
		t = cubic(t, f.left, f.right)
	}
	n = round(f.rest, t)
	if f.low {
		n++
	}
	return n, k
}

// share returns the share of the span below bound, in the span's coordinate.
func (f *fit) share(bound float64) float64 {
	if f.linear {
		return Linear.share(f.lo, bound, f.hi)
	}
	return f.split.share(f.lo, bound, f.hi)
}

// round returns the integer nearest to n * share.
func round(n uint64, share float64) uint64 {
	if share >= 1 {
		return n
	}
	high, low := bits.Mul64(n, uint64(share*0x1p64))
	return high + low>>63
}
