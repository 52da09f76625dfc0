package convert

import (
	"fmt"
	"math"
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func checkBounds(bounds []float64) error {
	for i, b := range bounds {
		if math.IsNaN(b) || math.IsInf(b, 0) {
			return fmt.Errorf("%w: bounds[%d] is %v", ErrInvalid, i, b)
		}
		if i > 0 && b <= bounds[i-1] {
			return fmt.Errorf("%w: bounds[%d] is %v after %v", ErrInvalid, i, b, bounds[i-1])
		}
	}
	return nil
}

func checkTotal(total uint64, overflow bool, count uint64) error {
	if overflow {
		return fmt.Errorf("%w: bucket counts exceed 64 bits", ErrInvalid)
	}
	if total != count {
		return fmt.Errorf("%w: bucket counts add up to %d, count is %d", ErrInvalid, total, count)
	}
	return nil
}

// checkExponential checks what does not need the counts.
func checkExponential(dp pmetric.ExponentialHistogramDataPoint) error {
	if t := dp.ZeroThreshold(); !(t >= 0) || math.IsInf(t, 0) {
		return fmt.Errorf("%w: zero threshold is %v", ErrInvalid, t)
	}
	for _, b := range []pmetric.ExponentialHistogramDataPointBuckets{dp.Positive(), dp.Negative()} {
		if last := int64(b.Offset()) + int64(b.BucketCounts().Len()) - 1; last > math.MaxInt32 {
			return fmt.Errorf("%w: bucket index %d exceeds 32 bits", ErrInvalid, last)
		}
	}
	return nil
}

// load copies counts to scratch space and adds them up.
func load(to []uint64, from pcommon.UInt64Slice) (counts []uint64, total uint64, overflow bool) {
	to = room(to, from.Len())
	var union uint64
	for i := range to {
		n := from.At(i)
		to[i] = n
		total += n
		union |= n
	}
	// Every count is below 2^Len(union), so their sum is below 2^(both lengths) and
	// carries need a second look only where that exceeds 64 bits.
	return to, total, bits.Len64(union)+bits.Len(uint(len(to))) > 64 && carries(to)
}

func carries(counts []uint64) bool {
	var total, carry uint64
	for _, n := range counts {
		if total, carry = bits.Add64(total, n, 0); carry != 0 {
			return true
		}
	}
	return false
}
