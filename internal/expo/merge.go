package expo

import "math"

// Merge adds the observations of o, which is not changed. o may come from outside: its counts may have any length,
// offset and scale. The maximum size of h bounds the allocation.
//
// The result has the lower of both scales, or a lower one if the buckets would exceed the maximum size. It has the larger
// of both zero thresholds. The buckets below the threshold go to the zero count. A threshold inside an occupied bucket
// is raised to the bucket's upper bound.
//
// https://opentelemetry.io/docs/specs/otel/metrics/data-model/#merge-operation-for-exponential-histograms (zero threshold)
func (h *Histogram) Merge(o *Histogram) {
	h.Count = AddSat(h.Count, o.Count)
	h.ZeroCount = AddSat(h.ZeroCount, o.ZeroCount)
	h.Sum += o.Sum
	h.Min, h.Max = math.Min(h.Min, o.Min), math.Max(h.Max, o.Max)

	from := max(o.Scale, floorScale)
	scale := min(h.Scale, from)
	scale -= max(
		h.shiftToMerge(&h.Positive, &o.Positive, h.Scale-scale, shiftBetween(from, scale)),
		h.shiftToMerge(&h.Negative, &o.Negative, h.Scale-scale, shiftBetween(from, scale)),
	)
	h.Downscale(h.Scale - scale)
	by := shiftBetween(from, scale)

	cut := h.widenZero(o, by)
	h.add(&h.Positive, &o.Positive, by, cut)
	h.add(&h.Negative, &o.Negative, by, cut)
}

// floorScale is the highest scale at which every float64 is in bucket -1 or 0. Lower scales give the same histogram.
const floorScale = -11

// shiftToMerge returns by how many further steps the scale must fall so that the union of two runs fits into the maximum
// size. own and other are first shifted by ownBy and otherBy steps.
func (h *Histogram) shiftToMerge(own, other *Buckets, ownBy, otherBy int32) int32 {
	lo, hi, occupied := int64(math.MaxInt64), int64(math.MinInt64), false
	include := func(b *Buckets, by int32) {
		if first, last := b.occupied(); first <= last {
			lo = min(lo, (int64(b.Offset)+int64(first))>>by)
			hi = max(hi, (int64(b.Offset)+int64(last))>>by)
			occupied = true
		}
	}
	include(own, ownBy)
	include(other, otherBy)
	if !occupied {
		return 0
	}
	// lo and hi do not include empty buckets at the ends, so the run of h must not have any either.
	own.Trim()
	by := shiftToFit(lo, hi, h.MaxSize())
	for hi>>by > math.MaxInt32 { // buckets from outside may exceed the last index
		by++
	}
	return by
}

// widenZero sets the common zero threshold and moves the buckets of h below it to the zero count. It returns the highest
// index of o, at the scale of h, that also belongs to the zero count.
func (h *Histogram) widenZero(o *Histogram, by int32) (cut int64) {
	cut = math.MinInt64
	if h.ZeroThreshold == o.ZeroThreshold || !(max(h.ZeroThreshold, o.ZeroThreshold) > 0) {
		return cut
	}
	narrow, narrowBy, threshold := h, int32(0), o.ZeroThreshold
	if h.ZeroThreshold > o.ZeroThreshold {
		narrow, narrowBy, threshold = o, by, h.ZeroThreshold
	}
	index := Index(h.Scale, threshold)
	cut = int64(index) - 1
	switch bound := UpperBound(h.Scale, index); {
	case threshold == bound:
		cut = int64(index)
	case narrow.Positive.hasCount(int64(index), narrowBy) || narrow.Negative.hasCount(int64(index), narrowBy):
		threshold, cut = bound, int64(index)
	}
	h.ZeroThreshold = threshold
	h.ZeroCount = AddSat(h.ZeroCount, h.Positive.cutBelow(cut))
	h.ZeroCount = AddSat(h.ZeroCount, h.Negative.cutBelow(cut))
	return cut
}

// add adds the occupied buckets of o to b after lowering their scale by some steps. The buckets up to index cut go to
// the zero count.
func (h *Histogram) add(b, o *Buckets, by int32, cut int64) {
	first, last := o.occupied()
	offset := int64(o.Offset)
	for ; first <= last && (offset+int64(first))>>by <= cut; first++ {
		h.ZeroCount = AddSat(h.ZeroCount, o.Counts[first])
	}
	if first > last {
		return
	}
	b.cover((offset+int64(first))>>by, (offset+int64(last))>>by, h.MaxSize())
	for i := first; i <= last; i++ {
		at := (offset+int64(i))>>by - int64(b.Offset)
		b.Counts[at] = AddSat(b.Counts[at], o.Counts[i])
	}
}

// hasCount reports whether the bucket of that index has a count once the scale is lowered by some steps.
func (b *Buckets) hasCount(index int64, by int32) bool {
	for i, n := range b.Counts {
		if n != 0 && (int64(b.Offset)+int64(i))>>by == index {
			return true
		}
	}
	return false
}

// cutBelow removes the buckets up to and including index cut and returns the sum of their counts.
func (b *Buckets) cutBelow(cut int64) uint64 {
	n := int(min(max(cut-int64(b.Offset)+1, 0), int64(len(b.Counts))))
	var removed uint64
	for _, c := range b.Counts[:n] {
		removed = AddSat(removed, c)
	}
	copy(b.Counts, b.Counts[n:])
	b.Counts = b.Counts[:len(b.Counts)-n]
	b.Offset = clampIndex(int64(b.Offset) + int64(n))
	return removed
}

// shiftBetween returns from-to, which must not be negative, but at most 63: a shift by 63 reduces any index to its sign.
// The scale of a histogram from outside may be any int32.
func shiftBetween(from, to int32) int32 {
	return int32(min(int64(from)-int64(to), 63))
}
