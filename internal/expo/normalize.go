package expo

import "math"

// Normalize brings a foreign histogram into the form that a sender could have recorded: no finer than
// [MaxScale], no bucket above the one of the largest float64 or below the one of the smallest, and at
// most size buckets a sign. It reports whether that changed anything.
//
// What is beyond float64 goes to the outermost bucket that is not: an infinite observation, for which
// Prometheus' libraries have a bucket of their own, and whatever an index claims that no value has. Below
// scale -11 every positive float64 is in bucket -1 or 0, so those scales are raised to it. Everything else
// is exact, as with [Histogram.ToScale] and [Histogram.ToSize].
//
// A histogram in this form costs a reader no more than its buckets: an index is at most 2^31/2 away from
// zero, a run has no offset without a count.
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
			b.clamp(lowest, highest)
			changed = true
		}
	}
	if by := max(h.Positive.excess(size), h.Negative.excess(size)); by > 0 {
		h.Downscale(by)
	}
	return changed
}

// exceeds reports whether the run reaches beyond the buckets lowest to highest.
func (b *Buckets) exceeds(lowest, highest int32) bool {
	return len(b.Counts) > 0 && (b.Offset < lowest || int64(b.Offset)+int64(len(b.Counts))-1 > int64(highest))
}

// clamp moves the counts of buckets beyond lowest and highest to these two.
func (b *Buckets) clamp(lowest, highest int32) {
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
