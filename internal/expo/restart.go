package expo

import "math"

// Restarted reports whether a cumulative stream whose points are before and now, under one start
// timestamp, cannot have gone on in between. A stream that goes on only loses resolution: its scale falls,
// its zero threshold rises, and covers whole buckets when it does. A scale that rises, a threshold that
// falls, and one that rises into a bucket that had counts are those of a stream begun anew. Prometheus
// decides by the same rule, and then by the counts, which are the caller's to compare.
//
// Both scales must be at most [MaxScale]. Nothing is changed.
func Restarted(before, now *Histogram) bool {
	if now.Scale > before.Scale || now.ZeroThreshold < before.ZeroThreshold {
		return true
	}
	if now.ZeroThreshold == before.ZeroThreshold || math.IsInf(now.ZeroThreshold, 0) {
		return false
	}
	index := Index(before.Scale, now.ZeroThreshold)
	if near(now.ZeroThreshold, UpperBound(before.Scale, index)) || near(now.ZeroThreshold, LowerBound(before.Scale, index)) {
		return false
	}
	return before.Positive.has(int64(index), 0) || before.Negative.has(int64(index), 0)
}

// near reports whether a threshold is a bound as somebody else computed it: bounds above scale 0 are
// irrational, and formulas differ in the last bits.
func near(threshold, bound float64) bool {
	const bits = 0x1p-49
	return math.Abs(threshold-bound) <= threshold*bits
}
