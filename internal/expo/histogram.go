package expo

import "math"

// Histogram is an exponential histogram that starts at MaxScale and lowers its
// scale whenever the buckets of a sign would exceed its size. Use [New]; not safe
// for concurrent use.
//
// Count is ZeroCount plus all buckets (as long as none has saturated). An empty
// histogram has Min = +Inf and Max = -Inf, so that merging needs no special case;
// a foreign histogram without minimum or maximum is represented the same way.
//
// The fields are for reading and for building a histogram to merge from.
type Histogram struct {
	Scale              int32
	ZeroThreshold      float64 // values with magnitude <= ZeroThreshold are in ZeroCount
	ZeroCount          uint64
	Count              uint64
	Sum, Min, Max      float64
	Positive, Negative Buckets

	maxSize int
}

// minSize is two: see [ShiftToFit].
const minSize = 2

// New returns an empty histogram with at most maxSize buckets for each sign;
// maxSize below 2 becomes 2. Buckets are allocated as values need them.
func New(maxSize int) *Histogram {
	h := &Histogram{maxSize: max(maxSize, minSize)}
	h.Reset()
	return h
}

// Reset empties the histogram and returns it to MaxScale. Capacity and
// ZeroThreshold zero are what remains.
func (h *Histogram) Reset() {
	h.Scale = MaxScale
	h.ZeroThreshold, h.ZeroCount = 0, 0
	h.Count, h.Sum = 0, 0
	h.Min, h.Max = math.Inf(1), math.Inf(-1)
	h.Positive.reset()
	h.Negative.reset()
}

// MaxSize is the limit on buckets for each sign.
func (h *Histogram) MaxSize() int { return max(h.maxSize, minSize) }

// Record counts n observations of v. It allocates only while the buckets grow
// towards maxSize. NaN and infinite values are the caller's to refuse.
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

// makeRoom brings a bucket within the run of b, at a lower scale if it must, and
// returns its position.
func (h *Histogram) makeRoom(b *Buckets, index int64) int64 {
	lo, hi := index, index
	if n := len(b.Counts); n > 0 {
		lo = min(lo, int64(b.Offset))
		hi = max(hi, int64(b.Offset)+int64(n)-1)
	}
	by := ShiftToFit(lo, hi, h.MaxSize())
	h.Downscale(by)
	index >>= by
	b.cover(index, index, h.MaxSize())
	return index - int64(b.Offset)
}
