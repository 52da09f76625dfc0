package rebucket

import "slices"

// Subset returns at most maxBuckets-1 of the bounds, evenly spaced by position,
// the first and the last among them where there is room for two. Bounds that are
// pinned are always among them; pins that are no bound have no effect. Pins must
// leave room: at most maxBuckets-1. Converting to a subset is exact.
func Subset(bounds []float64, maxBuckets int, pins []float64) []float64 {
	keep := maxBuckets - 1
	if len(bounds) <= keep {
		return bounds
	}
	subset := make([]float64, 0, keep)
	rest := make([]float64, 0, len(bounds))
	for _, b := range bounds {
		if len(subset) < keep && slices.Contains(pins, b) {
			subset = append(subset, b)
		} else {
			rest = append(rest, b)
		}
	}
	switch free := keep - len(subset); free {
	case 0:
	case 1:
		subset = append(subset, rest[(len(rest)-1)/2])
	default:
		for i := range free {
			subset = append(subset, rest[i*(len(rest)-1)/(free-1)])
		}
	}
	slices.Sort(subset)
	return subset
}
