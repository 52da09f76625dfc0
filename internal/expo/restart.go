package expo

import "math"

// Restarted reports whether a cumulative stream must have restarted between two points with the same start timestamp. A
// stream that continues only loses resolution: its scale falls, and its zero threshold rises by whole buckets. So a
// scale that rises, a threshold that falls, and a threshold that rises into the middle of an occupied bucket show a
// restart. Prometheus applies the same rule, and then compares the counts. Here the caller compares them.
//
// Both scales must be at most [MaxScale]. The histograms are not changed.
func Restarted(before, now *Histogram) bool {
	if now.Scale > before.Scale || now.ZeroThreshold < before.ZeroThreshold {
		return true
	}
	if now.ZeroThreshold == before.ZeroThreshold || math.IsInf(now.ZeroThreshold, 0) {
		return false
	}
	index := Index(before.Scale, now.ZeroThreshold)
	if isBound(now.ZeroThreshold, UpperBound(before.Scale, index)) || isBound(now.ZeroThreshold, LowerBound(before.Scale, index)) {
		return false
	}
	return before.Positive.hasCount(int64(index), 0) || before.Negative.hasCount(int64(index), 0)
}

// isBound reports whether a sender's threshold is that bucket bound. Above scale 0 bounds are irrational, and the
// formulas of senders differ in the last bits.
func isBound(threshold, bound float64) bool {
	const tolerance = 0x1p-49
	return math.Abs(threshold-bound) <= threshold*tolerance
}
