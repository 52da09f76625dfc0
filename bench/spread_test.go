package bench

import (
	"fmt"
	"slices"
)

// spread has the minimum, the median and the maximum of the rounds.
type spread struct{ least, median, greatest float64 }

func spreadOf[T any](results []T, field func(T) float64) spread {
	values := make([]float64, 0, len(results))
	for _, r := range results {
		values = append(values, field(r))
	}
	slices.Sort(values)
	return spread{values[0], values[len(values)/2], values[len(values)-1]}
}

func (s spread) String() string {
	if s.least == s.greatest {
		return fmt.Sprintf("%.3g", s.median)
	}
	return fmt.Sprintf("%.3g (%.3g to %.3g)", s.median, s.least, s.greatest)
}
