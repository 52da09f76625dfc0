package expo

import "math"

// Histogram is an exponential histogram. It starts at MaxScale and lowers its scale when the buckets of a sign would
// exceed its maximum size. Make one with [New]. It is not safe for concurrent use.
//
// Count is the sum of ZeroCount and all buckets, unless one of them has saturated. An empty histogram has Min = +Inf and
// Max = -Inf, so that merging needs no special case. A histogram from outside that has no minimum or maximum has the
// same values.
//
// Read the fields, or set them to build a histogram for merging into another one.
type Histogram struct {
	Scale              int32
	ZeroThreshold      float64 // ZeroCount counts the values whose magnitude is at most ZeroThreshold
	ZeroCount          uint64
	Count              uint64
	Sum, Min, Max      float64
	Positive, Negative Buckets

	maxSize int
}

// minSize is the least maximum size; see shiftToFit.
const minSize = 2

// New returns an empty histogram with at most maxSize buckets per sign. A maxSize below 2 becomes 2. Buckets are
// allocated when values need them.
func New(maxSize int) *Histogram {
	h := &Histogram{maxSize: max(maxSize, minSize)}
	h.Reset()
	return h
}

// Reset empties the histogram and sets its scale to MaxScale and its zero threshold to 0. The capacity of its buckets
// remains.
func (h *Histogram) Reset() {
	h.Scale = MaxScale
	h.ZeroThreshold, h.ZeroCount = 0, 0
	h.Count, h.Sum = 0, 0
	h.Min, h.Max = math.Inf(1), math.Inf(-1)
	h.Positive.reset()
	h.Negative.reset()
}

// MaxSize returns the maximum number of buckets per sign.
func (h *Histogram) MaxSize() int { return max(h.maxSize, minSize) }

// Record counts n observations of v. It allocates only while the buckets grow towards the maximum size. The caller must
// not pass NaN or an infinity.
func (h *Histogram) Record(v float64, n uint64) {
	if n == 0 {
		return
	}
	h.Count = AddSat(h.Count, n)
	h.Sum += v * float64(n)
	if v < h.Min {
		h.Min = v
	}
	if v > h.Max {
		h.Max = v
	}
	magnitude, b := v, &h.Positive
	if v < 0 {
		magnitude, b = -v, &h.Negative
	}
	if magnitude <= h.ZeroThreshold {
		h.ZeroCount = AddSat(h.ZeroCount, n)
		return
	}
	index := Index(h.Scale, magnitude)
	at := int64(index) - int64(b.Offset)
	if uint64(at) >= uint64(len(b.Counts)) {
		at = h.makeRoom(b, int64(index))
	}
	b.Counts[at] = AddSat(b.Counts[at], n)
}

// makeRoom extends the run of b to a bucket, if necessary at a lower scale, and returns the bucket's position.
func (h *Histogram) makeRoom(b *Buckets, index int64) int64 {
	lo, hi := index, index
	if n := len(b.Counts); n > 0 {
		lo = min(lo, int64(b.Offset))
		hi = max(hi, int64(b.Offset)+int64(n)-1)
	}
	by := shiftToFit(lo, hi, h.MaxSize())
	h.Downscale(by)
	index >>= by
	b.cover(index, index, h.MaxSize())
	return index - int64(b.Offset)
}
