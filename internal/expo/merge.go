package expo

import "math"

// Merge adds o, which is not changed and may come from outside: its counts may
// have any length, offset and scale. What is allocated is bounded by maxSize.
//
// The result has the lower of both scales, or less where the buckets would exceed
// maxSize. Of different zero thresholds the larger one applies; buckets below it
// go to the zero count, and where it lies inside an occupied bucket it is raised
// to that bucket's upper bound.
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
		h.excess(&h.Positive, &o.Positive, h.Scale-scale, shiftBetween(from, scale)),
		h.excess(&h.Negative, &o.Negative, h.Scale-scale, shiftBetween(from, scale)),
	)
	h.Downscale(h.Scale - scale)
	by := shiftBetween(from, scale)

	cut := h.widenZero(o, by)
	h.add(&h.Positive, &o.Positive, by, cut)
	h.add(&h.Negative, &o.Negative, by, cut)
}

// floorScale is the scale from which on every float64 is in bucket -1 or 0, so
// that lower scales are the same histogram.
const floorScale = -11

// excess returns by how many scales both runs, after their shifts, must fall for
// their union to fit.
func (h *Histogram) excess(mine, other *Buckets, mineBy, otherBy int32) int32 {
	lo, hi, some := int64(math.MaxInt64), int64(math.MinInt64), false
	include := func(b *Buckets, by int32) {
		if first, last := b.occupied(); first <= last {
			lo = min(lo, (int64(b.Offset)+int64(first))>>by)
			hi = max(hi, (int64(b.Offset)+int64(last))>>by)
			some = true
		}
	}
	include(mine, mineBy)
	include(other, otherBy)
	if !some {
		return 0
	}
	// The run of h may have empty ends; they are dropped to keep the promise.
	mine.Trim()
	by := ShiftToFit(lo, hi, h.MaxSize())
	for hi>>by > math.MaxInt32 { // foreign buckets past the last index
		by++
	}
	return by
}

// widenZero sets the common zero threshold and moves the buckets of h below it to
// the zero count. It returns the highest index of o, at the scale of h, that
// belongs to the zero count too.
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
	case narrow.Positive.has(int64(index), narrowBy) || narrow.Negative.has(int64(index), narrowBy):
		threshold, cut = bound, int64(index)
	}
	h.ZeroThreshold = threshold
	h.ZeroCount = AddSat(h.ZeroCount, h.Positive.cutBelow(cut))
	h.ZeroCount = AddSat(h.ZeroCount, h.Negative.cutBelow(cut))
	return cut
}

// add adds the occupied buckets of o, shifted by scales, to b; those up to cut go
// to the zero count.
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

// has reports whether a bucket, after shifting by scales, has a count.
func (b *Buckets) has(index int64, by int32) bool {
	for i, n := range b.Counts {
		if n != 0 && (int64(b.Offset)+int64(i))>>by == index {
			return true
		}
	}
	return false
}

// cutBelow removes the buckets up to and including index cut and returns their
// counts' sum.
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

// shiftBetween returns from-to for from >= to, at most 63, which empties any
// index: a foreign scale may be anything.
func shiftBetween(from, to int32) int32 {
	return int32(min(int64(from)-int64(to), 63))
}
