package histpoint

import (
	"errors"
	"fmt"
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// ErrInvalid is in the chain of every error about an invalid point.
var ErrInvalid = errors.New("invalid histogram point")

// CountError describes a point whose bucket counts do not add up to its count. The other fields are valid and loaded, so
// the caller may correct the count to the sum.
type CountError struct{ Sum, Count uint64 }

func (e *CountError) Error() string {
	return fmt.Sprintf("%v: bucket counts add up to %d, count is %d", ErrInvalid, e.Sum, e.Count)
}

// Unwrap returns [ErrInvalid].
func (e *CountError) Unwrap() error { return ErrInvalid }

// total adds up counts and records whether the sum exceeds 64 bits.
type total struct {
	sum      uint64
	overflow bool
}

func (t *total) add(n uint64) {
	sum, carry := bits.Add64(t.sum, n, 0)
	t.sum, t.overflow = sum, t.overflow || carry != 0
}

// load copies counts and adds them to the total. It reuses the memory of to if it suffices.
func (t *total) load(to []uint64, from pcommon.UInt64Slice) []uint64 {
	n := from.Len()
	if cap(to) < n {
		to = make([]uint64, n)
	}
	to = to[:n]
	var sum, union uint64
	for i := range to {
		c := from.At(i)
		to[i] = c
		sum += c
		union |= c
	}
	// Every count is below 2^Len64(union), and their number is below 2^Len(n). If both lengths add up to at most 64 bits,
	// the sum has no carry.
	if bits.Len64(union)+bits.Len(uint(n)) <= 64 {
		t.add(sum)
		return to
	}
	for _, c := range to {
		t.add(c)
	}
	return to
}

func (t *total) check(count uint64) error {
	if t.overflow {
		return fmt.Errorf("%w: bucket counts exceed 64 bits", ErrInvalid)
	}
	if t.sum != count {
		return &CountError{Sum: t.sum, Count: count}
	}
	return nil
}
