package expo

import "math"

// The methods in this file lower the resolution of a histogram of any size. They join whole buckets, in place and
// without allocating, so the remaining counts are exact.

// Downscale lowers the scale by a number of steps. If the result would be below the smallest int32, the scale becomes
// the smallest int32 and the buckets are still joined by all steps. That is exact: already at floorScale the only bound
// among the float64s is 1.
func (h *Histogram) Downscale(by int32) {
	h.Positive.Downscale(by)
	h.Negative.Downscale(by)
	h.Scale = int32(max(int64(h.Scale)-int64(max(by, 0)), math.MinInt32))
}

// ToScale lowers the scale to the given one unless it is lower already. The scale of a histogram from outside may be any
// int32.
func (h *Histogram) ToScale(scale int32) {
	if h.Scale <= scale {
		return
	}
	h.Downscale(shiftBetween(h.Scale, scale))
	h.Scale = scale // it may be more than 63 steps away, but after 63 steps no buckets are left to join
}

// ToSize lowers the scale until neither sign has more than size buckets between its first and its last count. A size
// below 2 becomes 2.
func (h *Histogram) ToSize(size int) {
	h.trim()
	h.Downscale(max(h.Positive.shiftToFit(size), h.Negative.shiftToFit(size)))
}

// ToTotal lowers the scale until both signs together have at most size buckets. A size below 4 becomes 4, which 32 steps
// reach for any indexes.
func (h *Histogram) ToTotal(size int) {
	h.trim()
	for len(h.Positive.Counts)+len(h.Negative.Counts) > max(size, 2*minSize) {
		h.Downscale(1)
	}
}

// RaiseZero raises the zero threshold to the lowest bucket bound at or above threshold and moves the buckets below it to
// the zero count. The new threshold does not depend on the counts: in a cumulative stream these buckets may fill later,
// and the threshold must be the same from the start. The scale must be at most [MaxScale].
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

// shiftToFit returns by how many steps the scale must fall so that the run has at most size buckets.
func (b *Buckets) shiftToFit(size int) int32 {
	if len(b.Counts) == 0 {
		return 0
	}
	return shiftToFit(int64(b.Offset), int64(b.Offset)+int64(len(b.Counts))-1, max(size, minSize))
}
