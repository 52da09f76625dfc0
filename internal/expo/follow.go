package expo

// Follows reports whether a cumulative stream can go from the layout of prev to that
// of h. A histogram of a stream only ever loses resolution: its scale falls, and its
// zero threshold rises to a bound of its buckets or to where they are empty. Any other
// change means that the stream began anew. Prometheus reads histograms by this rule.
//
// Scales above [MaxScale] are not allowed. Counts are the caller's to compare.
func (h *Histogram) Follows(prev *Histogram) bool {
	if h.Scale > prev.Scale || h.ZeroThreshold < prev.ZeroThreshold {
		return false
	}
	return h.ZeroThreshold == prev.ZeroThreshold || !prev.splitBy(h.ZeroThreshold)
}

// splitBy reports whether a zero threshold lies inside a bucket with a count.
func (h *Histogram) splitBy(threshold float64) bool {
	scale := max(h.Scale, floorScale)
	index := Index(scale, threshold)
	return threshold != UpperBound(scale, index) && (h.Positive.has(int64(index), 0) || h.Negative.has(int64(index), 0))
}
