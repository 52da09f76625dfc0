package samples

import (
	"math"
	"sort"
)

// Count returns the bucket counts of the values: counts[i] counts (bounds[i-1], bounds[i]].
func Count(bounds, values []float64) []uint64 {
	counts := make([]uint64, len(bounds)+1)
	for _, v := range values {
		counts[sort.SearchFloat64s(bounds, v)]++
	}
	return counts
}

// MaxCDFError returns the largest difference between the cumulative shares of two histograms at any bound. Both have
// the same layout and total.
func MaxCDFError(want, got []uint64) float64 {
	var f, g, worst float64
	for i := range want {
		f += float64(want[i])
		g += float64(got[i])
		worst = max(worst, math.Abs(f-g))
	}
	return worst / f
}

// Quantile returns the quantile that PromQL's histogram_quantile computes. It interpolates linearly within a bucket. The
// first bucket begins at 0 if its upper bound is positive. In the open end the result is the last bound.
func Quantile(q float64, bounds []float64, counts []uint64) float64 {
	var total float64
	for _, n := range counts {
		total += float64(n)
	}
	rank, below := q*total, 0.0
	for i, b := range bounds {
		n := float64(counts[i])
		if n > 0 && below+n >= rank {
			lo := 0.0
			switch {
			case i > 0:
				lo = bounds[i-1]
			case b <= 0:
				return b
			}
			return lo + (b-lo)*(rank-below)/n
		}
		below += n
	}
	return bounds[len(bounds)-1]
}

// QuantileError returns the difference between a quantile of two histograms of the same layout, relative to the first
// histogram's.
func QuantileError(q float64, bounds []float64, want, got []uint64) float64 {
	w := Quantile(q, bounds, want)
	if w == 0 {
		return 0
	}
	return math.Abs(Quantile(q, bounds, got)-w) / w
}
