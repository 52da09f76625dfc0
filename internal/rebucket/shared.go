package rebucket

import "sort"

// Shared returns the bounds that two layouts have in common: the finest layout to which both can be converted without
// splitting a bucket.
func Shared(a, b []float64) []float64 {
	var shared []float64
	for _, v := range a {
		if i := sort.SearchFloat64s(b, v); i < len(b) && b[i] == v {
			shared = append(shared, v)
		}
	}
	return shared
}
