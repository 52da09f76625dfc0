package rebucket

import "math"

// Range is that of the observations in a point, both ends included. An end that is
// not known is not finite. One that contradicts the counts is not used.
type Range struct{ Min, Max float64 }

// Unknown is the range of a point that has neither minimum nor maximum.
var Unknown = Range{Min: math.Inf(-1), Max: math.Inf(1)}

// ends are the places of a run's first and last observation, if known: two more
// points at which the cumulative count is exact. They bound the first and the last
// occupied bucket, which may be an open end.
type ends struct {
	first, last int // places of their buckets in the counts, or nowhere
	low, high   float64
	// mirrored: an observation at a cut is above it, not below.
	mirrored bool
}

// nowhere is not even beside a bucket.
const nowhere = -2

// ends looks for the range's ends in the run, each unless the range ends elsewhere.
func (r *run) ends(counts []uint64, offset int64, extent Range, low, high bool) ends {
	e := ends{first: nowhere, last: nowhere, low: extent.Min, high: extent.Max}
	if len(r.cuts) == 0 {
		return e
	}
	if low && finite(extent.Min) {
		e.first = r.placeOf(offset, firstOf(counts), extent.Min)
	}
	if high && finite(extent.Max) {
		e.last = r.placeOf(offset, lastOf(counts), extent.Max)
	}
	if e.first >= 0 && e.first == e.last && (e.low > e.high || e.low < e.high && counts[e.first] == 1) {
		e.first, e.last = nowhere, nowhere
	}
	return e
}

// placeOf returns place if v lies in its bucket, and else nowhere.
func (r *run) placeOf(offset int64, place int, v float64) int {
	if place < 0 {
		return nowhere
	}
	bucket := offset + int64(place)
	lo, hi := r.extent(bucket)
	if bucket == 0 && r.floor < lo {
		lo = r.floor
	}
	if lo < v && v <= hi {
		return place
	}
	return nowhere
}

func firstOf(counts []uint64) int {
	for i, n := range counts {
		if n != 0 {
			return i
		}
	}
	return nowhere
}

func lastOf(counts []uint64) int {
	for i := len(counts) - 1; i >= 0; i-- {
		if counts[i] != 0 {
			return i
		}
	}
	return nowhere
}

func finite(v float64) bool { return v-v == 0 }
