package expo

import "math"

// The methods here lower the resolution of a histogram, whatever its size. Each
// moves whole buckets, so what remains is exact. Buckets are joined in place;
// nothing is allocated.

// Downscale lowers the scale by a number of steps. Where the steps lead beyond 32 bits the
// buckets are still joined and the scale stays at the lowest: far above there, at
// floorScale, no bound but 1 is left among the float64s.
func (h *Histogram) Downscale(by int32) {
	h.Positive.Downscale(by)
	h.Negative.Downscale(by)
	h.Scale = int32(max(int64(h.Scale)-int64(max(by, 0)), math.MinInt32))
}

// ToScale lowers the scale to at most the given one. The scale of a foreign
// histogram may be anything.
func (h *Histogram) ToScale(scale int32) {
	if h.Scale <= scale {
		return
	}
	h.Downscale(shiftBetween(h.Scale, scale))
	h.Scale = scale // which may be more than 63 steps, after which nothing is left to join
}

// ToSize lowers the scale until neither sign has more than size buckets, at least 2,
// between its first and its last count.
func (h *Histogram) ToSize(size int) {
	h.trim()
	h.Downscale(max(h.Positive.excess(size), h.Negative.excess(size)))
}

// ToTotal lowers the scale until both signs together have at most size buckets, at
// least 4: after 32 steps each has two at most, whatever its indexes.
func (h *Histogram) ToTotal(size int) {
	h.trim()
	for len(h.Positive.Counts)+len(h.Negative.Counts) > max(size, 2*minSize) {
		h.Downscale(1)
	}
}

// RaiseZero raises the zero threshold to the lowest bucket bound at or above
// threshold and moves the buckets below to the zero count. It is raised whatever is
// in them: for a cumulative stream in which they fill later, it must be the same
// from the start. Scale must be at most [MaxScale].
func (h *Histogram) RaiseZero(threshold float64) {
	if threshold <= h.ZeroThreshold {
		return
	}
	h.ZeroThreshold = RaiseToBound(h.Scale, threshold)
	cut := int64(Index(h.Scale, h.ZeroThreshold))
	h.ZeroCount = AddSat(h.ZeroCount, h.Positive.cutBelow(cut))
	h.ZeroCount = AddSat(h.ZeroCount, h.Negative.cutBelow(cut))
}

func (h *Histogram) trim() {
	h.Positive.Trim()
	h.Negative.Trim()
}

// excess returns by how many scales the buckets must fall for size of them to do.
func (b *Buckets) excess(size int) int32 {
	if len(b.Counts) == 0 {
		return 0
	}
	return ShiftToFit(int64(b.Offset), int64(b.Offset)+int64(len(b.Counts))-1, max(size, minSize))
}
