package rebucket

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

// Range has the minimum and the maximum of a point's observations. An unknown one is not finite. One that contradicts the
// counts is not used.
type Range struct{ Min, Max float64 }

// Unknown is the range of a point without minimum and maximum.
var Unknown = Range{Min: math.Inf(-1), Max: math.Inf(1)}

// ends are the known first and last observation of a run. At each of them the cumulative count is exact. They bound the
// first and the last occupied bucket, also if it is an open end.
type ends struct {
	first, last int     // indexes in the counts of their buckets, or nowhere
	low, high   float64 // values of the observations
	// mirrored says that an observation at a cut lies above it. Otherwise it lies below.
	mirrored bool
}

// nowhere is -2, so that the bucket beside it, nowhere+1, does not exist either.
const nowhere = -2

// ends returns the ends of the range in the run. low and high say whether the run contains the lowest and the highest
// observation of the point.
func (r *run) ends(counts []uint64, offset int64, extent Range, low, high bool) ends {
	e := ends{first: nowhere, last: nowhere, low: extent.Min, high: extent.Max}
	if len(r.cuts) == 0 {
		return e
	}
	if low && floats.IsFinite(extent.Min) {
		e.first = r.ifContains(offset, firstOf(counts), extent.Min)
	}
	if high && floats.IsFinite(extent.Max) {
		e.last = r.ifContains(offset, lastOf(counts), extent.Max)
	}
	if e.first >= 0 && e.first == e.last && (e.low > e.high || e.low < e.high && counts[e.first] == 1) {
		e.first, e.last = nowhere, nowhere
	}
	return e
}

// ifContains returns the index if its bucket can contain v, and otherwise nowhere.
func (r *run) ifContains(offset int64, index int, v float64) int {
	if index < 0 {
		return nowhere
	}
	bucket := offset + int64(index)
	lo, hi := r.extent(bucket)
	if bucket == 0 && r.floor < lo {
		lo = r.floor
	}
	if lo < v && v <= hi {
		return index
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
