package rebucket

// Chooser chooses by a histogram's counts which of its bounds to keep. The zero value is ready for use. A Chooser reuses
// the memory that it has allocated. It is not safe for concurrent use.
type Chooser struct {
	below []uint64 // below[k] is the count below edge k; the edges are -Inf, the bounds, and +Inf
	kept  []bool   // by bound
	pins  []bool   // by bound
}

// Choose returns at most maxBuckets-1 of the bounds, in the memory of to, so that the largest error at a removed bound is
// minimal. The error at a removed bound b between the kept bounds lo and hi is
//
//	max(F(b) - F(lo), F(hi) - F(b))
//
// where F is the cumulative count. It bounds the error of a reader of the result at b for any interpolation. Pinned
// bounds are kept, as with [Subset]. If fewer bounds than allowed reach the minimal error, each further bound divides the
// bucket with the largest error. If no error remains, further bounds are spaced evenly by position. So without counts
// the result is that of Subset.
//
// The result depends on the arguments alone. A total count below 2^k needs k+3 passes over the bounds, at most 67, and
// one pass per further bound.
func (c *Chooser) Choose(to, bounds []float64, counts []uint64, maxBuckets int, pins []float64) []float64 {
	to = to[:0]
	if len(bounds) < maxBuckets {
		return append(to, bounds...)
	}
	c.load(bounds, counts, maxBuckets, pins)
	// Binary search for the least error that maxBuckets buckets can reach. An error of the total count needs one bucket.
	low, high := uint64(0), c.below[len(c.below)-1]
	for low < high {
		if middle := low + (high-low)/2; c.buckets(middle, maxBuckets) <= maxBuckets {
			high = middle
		} else {
			low = middle + 1
		}
	}
	free := maxBuckets - c.buckets(high, maxBuckets)
	for free > 0 && c.divideWorst() {
		free--
	}
	space(c.kept, free)
	return gather(to, bounds, c.kept)
}

func (c *Chooser) load(bounds []float64, counts []uint64, maxBuckets int, pins []float64) {
	c.below = append(c.below[:0], 0)
	var sum uint64
	for _, n := range counts {
		sum += n
		c.below = append(c.below, sum)
	}
	c.kept = grown(c.kept, len(bounds))
	c.pins = grown(c.pins, len(bounds))
	clear(c.pins)
	pin(c.pins, bounds, pins, maxBuckets-1)
}

// buckets marks the fewest bounds for which no error exceeds maxError, and returns the number of buckets, or limit+1 if
// it is larger. It is greedy: each bucket extends as far as maxError allows. That is optimal because a bucket's error
// never falls when the bucket grows.
func (c *Chooser) buckets(maxError uint64, limit int) int {
	clear(c.kept)
	last := len(c.below) - 1 // the edge at +Inf; edge k+1 is bound k
	n, from := 1, 0
	for to := 2; to <= last; to++ {
		if !c.pins[to-2] && c.errorBetween(from, to) <= maxError {
			continue // edge to-1 may be removed
		}
		c.kept[to-2] = true
		from = to - 1
		if n++; n > limit {
			return n
		}
	}
	return n
}

// errorBetween returns the largest error at a removed bound between two kept edges. It is the error at the first or at
// the last of these bounds.
func (c *Chooser) errorBetween(from, to int) uint64 {
	if to-from < 2 {
		return 0
	}
	return max(c.below[to]-c.below[from+1], c.below[to-1]-c.below[from])
}

// divideWorst marks one more bound, in the bucket with the largest error. It reports whether any bucket had an error.
func (c *Chooser) divideWorst() bool {
	var worst uint64
	var lo, hi int
	from, last := 0, len(c.below)-1
	for to := 1; to <= last; to++ {
		if to < last && !c.kept[to-1] {
			continue
		}
		if e := c.errorBetween(from, to); e > worst {
			worst, lo, hi = e, from, to
		}
		from = to
	}
	if worst == 0 {
		return false
	}
	best, at := worst, lo+1
	for edge := lo + 1; edge < hi; edge++ {
		if e := max(c.errorBetween(lo, edge), c.errorBetween(edge, hi)); e < best {
			best, at = e, edge
		}
	}
	c.kept[at-1] = true
	return true
}

func grown(s []bool, n int) []bool {
	if cap(s) < n {
		return make([]bool, n)
	}
	return s[:n]
}

// Merge converts counts to the layout of a subset of their bounds. It replaces target, which has one element per bucket.
func Merge(target []uint64, subset, bounds []float64, counts []uint64) {
	clear(target)
	at := 0
	for i, n := range counts {
		target[at] += n
		if i < len(bounds) && at < len(subset) && bounds[i] == subset[at] {
			at++
		}
	}
}
