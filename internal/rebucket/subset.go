package rebucket

import "slices"

// Subset returns at most maxBuckets-1 of the bounds, so that the numbers of buckets that are joined are as equal as the
// pins allow. Pinned bounds are always among them. A pin that is not a bound has no effect. There must be at most
// maxBuckets-1 pins. Converting to a subset is exact.
func Subset(bounds []float64, maxBuckets int, pins []float64) []float64 {
	if len(bounds) < maxBuckets {
		return bounds
	}
	kept := make([]bool, len(bounds))
	free := maxBuckets - 1 - pin(kept, bounds, pins, maxBuckets-1)
	space(kept, free)
	return gather(make([]float64, 0, maxBuckets-1), bounds, kept)
}

// pin marks the pinned bounds, at most n of them, and returns their number. It copies the pins unless they are sorted.
func pin(kept []bool, bounds, pins []float64, n int) (pinned int) {
	if !slices.IsSorted(pins) {
		pins = slices.Sorted(slices.Values(pins))
	}
	for i, b := range bounds {
		if _, found := slices.BinarySearch(pins, b); found && pinned < n {
			kept[i] = true
			pinned++
		}
	}
	return pinned
}

// space marks free more bounds. It divides each run of buckets between marked bounds into groups whose sizes differ by at
// most one, and distributes the groups over the runs so that the largest group is as small as possible.
func space(kept []bool, free int) {
	if free <= 0 {
		return
	}
	low, high := 1, len(kept)+1 // the size of the largest group
	for low < high {
		if middle := low + (high-low)/2; divisions(kept, middle) <= free {
			high = middle
		} else {
			low = middle + 1
		}
	}
	free -= divisions(kept, low)
	eachRun(kept, func(first, size int) {
		n := groups(size, low)
		if low > 1 { // the remaining bounds make the groups of the first runs smaller
			more := min(free, groups(size, low-1)-n)
			n, free = n+more, free-more
		}
		for group := 1; group < n; group++ {
			kept[first+group*size/n-1] = true
		}
	})
}

// divisions returns the number of bounds that divide the runs into groups of at most size buckets.
func divisions(kept []bool, size int) (n int) {
	eachRun(kept, func(_, buckets int) { n += groups(buckets, size) - 1 })
	return n
}

func groups(buckets, size int) int { return (buckets + size - 1) / size }

// eachRun calls run, in order, for each run of buckets between marked bounds and beyond the outermost ones. The callback
// may mark bounds inside its run.
func eachRun(kept []bool, run func(first, size int)) {
	first := 0
	for i, k := range kept { // bound i is above bucket i
		if k {
			run(first, i+1-first)
			first = i + 1
		}
	}
	run(first, len(kept)+1-first)
}

// gather appends the kept bounds to to.
func gather(to, bounds []float64, kept []bool) []float64 {
	for i, k := range kept {
		if k {
			to = append(to, bounds[i])
		}
	}
	return to
}
