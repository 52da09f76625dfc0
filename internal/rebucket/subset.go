package rebucket

import "slices"

// Subset returns at most maxBuckets-1 of the bounds, evenly spaced by position,
// the first and the last among them where there is room for two. Bounds that are
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

// pin marks the bounds that are pins, at most n, and returns their number.
func pin(kept []bool, bounds, pins []float64, n int) (pinned int) {
	for i, b := range bounds {
		if pinned < n && slices.Contains(pins, b) {
			kept[i] = true
			pinned++
		}
	}
	return pinned
}

// space marks free more positions, evenly spaced among those not marked, of which
// there are more.
func space(kept []bool, free int) {
	rest := 0
	for _, k := range kept {
		if !k {
			rest++
		}
	}
	next := func(i int) int { // the place, among the rest, of the i-th to mark
		if free == 1 {
			return (rest - 1) / 2
		}
		return i * (rest - 1) / (free - 1)
	}
	place, marked := 0, 0
	for i, k := range kept {
		if k {
			continue
		}
		if marked < free && place == next(marked) {
			kept[i] = true
			marked++
		}
		place++
	}
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
