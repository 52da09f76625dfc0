package expo

import "math"

// Normalize brings a histogram from outside into a form that a sender can have recorded: a scale of at most [MaxScale],
// no bucket above that of the largest float64 or below that of the smallest, and at most size buckets per sign. It
// reports whether it changed anything.
//
// Counts of buckets beyond the range of float64 go to the outermost bucket within it. Prometheus' libraries have such a
// bucket for infinite observations, and a faulty sender may claim any index. Scales below -11 become -11, where every
// positive float64 is already in bucket -1 or 0. All other changes are exact, as with [Histogram.ToScale] and
// [Histogram.ToSize].
//
// After that the cost of reading a histogram depends on the number of its buckets alone: indexes are within 2^30 of
// zero, and a run without counts has the offset 0.
func (h *Histogram) Normalize(size int) (changed bool) {
	if h.Scale > MaxScale {
		h.ToScale(MaxScale)
		changed = true
	}
	if h.Scale < floorScale {
		h.Scale = floorScale
		changed = true
	}
	lowest, highest := Index(h.Scale, math.SmallestNonzeroFloat64), Index(h.Scale, math.MaxFloat64)
	for _, b := range [...]*Buckets{&h.Positive, &h.Negative} {
		if len(b.Counts) > size || len(b.Counts) == 0 && b.Offset != 0 || b.exceeds(lowest, highest) {
			b.Trim()
			b.clampTo(lowest, highest)
			changed = true
		}
	}
	if by := max(h.Positive.shiftToFit(size), h.Negative.shiftToFit(size)); by > 0 {
		h.Downscale(by)
	}
	return changed
}

// exceeds reports whether the run reaches beyond the buckets lowest to highest.
func (b *Buckets) exceeds(lowest, highest int32) bool {
	return len(b.Counts) > 0 && (b.Offset < lowest || int64(b.Offset)+int64(len(b.Counts))-1 > int64(highest))
}

// clampTo moves the counts of buckets below lowest and above highest to these two.
func (b *Buckets) clampTo(lowest, highest int32) {
	if !b.exceeds(lowest, highest) {
		return
	}
	at := func(i int) int64 { return min(max(int64(b.Offset)+int64(i), int64(lowest)), int64(highest)) }
	first := at(0)
	n := int(at(len(b.Counts)-1)-first) + 1
	for i, count := range b.Counts {
		to := int(at(i) - first)
		b.Counts[i] = 0 // to is at most i
		b.Counts[to] = AddSat(b.Counts[to], count)
	}
	b.Offset, b.Counts = int32(first), b.Counts[:n]
}
