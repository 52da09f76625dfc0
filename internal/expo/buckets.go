package expo

import (
	"math"
	"math/bits"
)

// Buckets is a dense run of buckets for the values of one sign. Negative values are counted by their magnitude.
type Buckets struct {
	Offset int32
	Counts []uint64 // Counts[i] counts bucket Offset+i
}

// Downscale joins runs of 2^by buckets in place. Counts becomes shorter and is never reallocated.
func (b *Buckets) Downscale(by int32) {
	if by <= 0 {
		return
	}
	// Offset+i of buckets from outside may exceed an int32.
	shift := min(by, 63)
	from := int64(b.Offset)
	first := from >> shift
	b.Offset = int32(first)
	if len(b.Counts) == 0 {
		return
	}
	last := 0
	for i := 1; i < len(b.Counts); i++ {
		to := int((from+int64(i))>>shift - first)
		if to == last {
			b.Counts[to] = AddSat(b.Counts[to], b.Counts[i])
			continue
		}
		b.Counts[to] = b.Counts[i]
		last = to
	}
	b.Counts = b.Counts[:last+1]
}

// Trim removes empty buckets at both ends, in place.
func (b *Buckets) Trim() {
	lo, hi := b.occupied()
	if lo > hi {
		b.Offset, b.Counts = 0, b.Counts[:0]
		return
	}
	b.Offset = clampIndex(int64(b.Offset) + int64(lo))
	if lo > 0 { // moving the counts, unlike reslicing, keeps the capacity
		copy(b.Counts, b.Counts[lo:hi+1])
	}
	b.Counts = b.Counts[:hi-lo+1]
}

// Trimmed returns the buckets without the empty ones at both ends. The result shares Counts with b, which is not
// changed.
func (b *Buckets) Trimmed() Buckets {
	lo, hi := b.occupied()
	if lo > hi {
		return Buckets{Counts: b.Counts[:0]}
	}
	return Buckets{Offset: clampIndex(int64(b.Offset) + int64(lo)), Counts: b.Counts[lo : hi+1]}
}

// Total returns the number of observations in all buckets.
func (b *Buckets) Total() uint64 {
	var total uint64
	for _, n := range b.Counts {
		total = AddSat(total, n)
	}
	return total
}

// occupied returns the positions of the first and the last bucket with a count. If no bucket has one, lo > hi.
func (b *Buckets) occupied() (lo, hi int) {
	hi = len(b.Counts) - 1
	for hi >= 0 && b.Counts[hi] == 0 {
		hi--
	}
	for lo <= hi && b.Counts[lo] == 0 {
		lo++
	}
	return lo, hi
}

// reset empties the buckets and keeps their capacity.
func (b *Buckets) reset() {
	b.Offset, b.Counts = 0, b.Counts[:0]
}

// cover extends the run so that it includes the buckets lo to hi. The caller has downscaled until the extended run has
// at most size buckets. The capacity doubles as needed, up to size.
func (b *Buckets) cover(lo, hi int64, size int) {
	n := len(b.Counts)
	if n == 0 {
		b.Offset = int32(lo)
		b.Counts = grow(b.Counts, int(hi-lo)+1, 0, size)
		return
	}
	front := max(int64(b.Offset)-lo, 0)
	end := max(hi+1, int64(b.Offset)+int64(n))
	if need := int(end - int64(b.Offset) + front); need > n {
		b.Counts = grow(b.Counts, need, int(front), size)
	}
	b.Offset -= int32(front)
}

// grow returns counts with the length need and the old content moved up by front. New buckets are zero.
func grow(counts []uint64, need, front, size int) []uint64 {
	n := len(counts)
	to := counts
	if need > cap(counts) {
		to = make([]uint64, need, max(min(2*cap(counts), size), min(minCapacity, size), need))
	} else {
		to = to[:need]
	}
	copy(to[front:front+n], counts)
	clear(to[:front])
	clear(to[front+n:])
	return to
}

// minCapacity makes the first allocation 64 bytes: one cache line.
const minCapacity = 8

// shiftToFit returns by how many steps the scale must fall so that the buckets lo to hi become at most size buckets.
// Size must be at least 2: two buckets, one on each side of the value 1, always suffice.
func shiftToFit(lo, hi int64, size int) int32 {
	var by int32
	for hi-lo >= int64(size) {
		lo, hi = lo>>1, hi>>1
		by++
	}
	return by
}

// AddSat adds counts. A sum that exceeds the largest uint64 becomes the largest uint64.
func AddSat(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return sum
}

func clampIndex(i int64) int32 {
	return int32(min(max(i, math.MinInt32), math.MaxInt32))
}
