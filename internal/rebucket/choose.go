package rebucket

// Chooser chooses which bounds of a histogram stay by its counts. The zero value is
// ready; what it allocates it keeps. Not safe for concurrent use.
type Chooser struct {
	below []uint64 // below[k] is the count below edge k: -Inf, the bounds, +Inf
	kept  []bool
	pins  []bool
}

// Choose returns at most maxBuckets-1 of the bounds, in the space of to, so that the
// largest error that leaving out the others can cause is as small as it can be. That
// of a bound b between the kept ones lo and hi is
//
//	max(F(b) - F(lo), F(hi) - F(b))
//
// where F is the cumulative count: what a reader of the result can be wrong by at b,
// however it interpolates. Bounds that are pinned stay, as with [Subset]. Where fewer
// bounds than there is room for give the least error, each further one divides the
// bucket that is then the worst; and where none errs the rest are evenly spaced by
// position, so that without counts the result is that of Subset.
//
// The result depends on the arguments alone. A count below 2^k needs k+3 passes over
// the bounds, 67 at most, and one for each further bound.
func (c *Chooser) Choose(to, bounds []float64, counts []uint64, maxBuckets int, pins []float64) []float64 {
	to = to[:0]
	if len(bounds) < maxBuckets {
		return append(to, bounds...)
	}
	c.load(bounds, counts, maxBuckets, pins)
	// With the whole count as the error all may be one bucket, except for pins.
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

// buckets marks the fewest bounds with which no error exceeds most, and returns the
// number of buckets, or limit+1 where they are more. The first bucket reaches as far
// as it may, and so do those after it: the error of a bucket only grows with it.
func (c *Chooser) buckets(most uint64, limit int) int {
	clear(c.kept)
	last := len(c.below) - 1 // the edge at +Inf; edge k+1 is bound k
	n, from := 1, 0
	for to := 2; to <= last; to++ {
		if !c.pins[to-2] && c.err(from, to) <= most {
			continue // the edge before may be left out
		}
		c.kept[to-2] = true
		from = to - 1
		if n++; n > limit {
			return n
		}
	}
	return n
}

// err returns the error of the bucket between two edges: that at the first bound left
// out, or that at the last.
func (c *Chooser) err(from, to int) uint64 {
	if to-from < 2 {
		return 0
	}
	return max(c.below[to]-c.below[from+1], c.below[to-1]-c.below[from])
}

// divideWorst marks one more bound where the error is the largest, and reports whether
// there was any.
func (c *Chooser) divideWorst() bool {
	var worst uint64
	var lo, hi int
	from, last := 0, len(c.below)-1
	for to := 1; to <= last; to++ {
		if to < last && !c.kept[to-1] {
			continue
		}
		if e := c.err(from, to); e > worst {
			worst, lo, hi = e, from, to
		}
		from = to
	}
	if worst == 0 {
		return false
	}
	best, at := worst, lo+1
	for edge := lo + 1; edge < hi; edge++ {
		if e := max(c.err(lo, edge), c.err(edge, hi)); e < best {
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

// Merge adds counts to those of a subset of their bounds: target, cleared first, has
// one element a bucket.
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
