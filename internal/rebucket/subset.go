package rebucket

import "slices"

// Subset returns at most maxBuckets-1 of the bounds, so that the buckets which remain are
// made of as equal numbers of buckets as pins allow. Bounds that are
// pinned are always among them; pins that are no bound have no effect. Pins must
// leave room: at most maxBuckets-1. Converting to a subset is exact.
func Subset(bounds []float64, maxBuckets int, pins []float64) []float64 {
	if len(bounds) < maxBuckets {
		return bounds
	}
	kept := make([]bool, len(bounds))
	free := maxBuckets - 1 - pin(kept, bounds, pins, maxBuckets-1)
	space(kept, free)
	return gather(make([]float64, 0, maxBuckets-1), bounds, kept)
}

// pin marks the bounds that are pins, at most n, and returns their number. Pins in order save it a copy.
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

// space marks free more bounds. Each run of buckets between bounds that are marked already is divided into groups
// whose sizes differ by one at most, and the runs get their numbers of groups so that the largest group of all
// is as small as it can be.
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
		if low > 1 { // what is left makes the groups of the first runs smaller
			more := min(free, groups(size, low-1)-n)
			n, free = n+more, free-more
		}
		for group := 1; group < n; group++ {
			kept[first+group*size/n-1] = true
		}
	})
}

// divisions is how many bounds divide the runs into groups of at most size buckets.
func divisions(kept []bool, size int) (n int) {
	eachRun(kept, func(_, buckets int) { n += groups(buckets, size) - 1 })
	return n
}

func groups(buckets, size int) int { return (buckets + size - 1) / size }

// eachRun calls run for the buckets between bounds that are marked, and beyond, in order. Run may mark bounds
// between its own.
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

// gather appends the bounds that are kept.
func gather(to, bounds []float64, kept []bool) []float64 {
	for i, k := range kept {
		if k {
			to = append(to, bounds[i])
		}
	}
	return to
}
