package expo

import (
	"math"
	"math/bits"
)

// Index returns the bucket of v: the i with base^i < v <= base^(i+1). v must be positive and finite, and the scale at
// most [MaxScale].
func Index(scale int32, v float64) int32 {
	raw := math.Float64bits(v)
	mantissa := raw & mantissaMask
	exp := int32(raw>>mantissaBits&exponentMask) - exponentBias
	if exp == -exponentBias {
		exp, mantissa = normalize(mantissa)
	}
	if mantissa == 0 { // 2^exp is the inclusive upper bound of the previous bucket
		if scale <= 0 {
			return (exp - 1) >> -max(scale, -31)
		}
		return exp<<min(scale, MaxScale) - 1
	}
	if scale <= 0 {
		return exp >> -max(scale, -31)
	}
	sub := coarseIndex(mantissa)
	if scale <= coarseScale {
		return exp<<scale | sub>>(coarseScale-scale)
	}
	scale = min(scale, MaxScale)
	return exp<<scale | fineIndex(scale, sub, mantissa)
}

// normalize returns the exponent and the mantissa of a subnormal in the form of a normal number.
func normalize(mantissa uint64) (int32, uint64) {
	by := int32(bits.LeadingZeros64(mantissa)) - (63 - mantissaBits)
	return minNormalExp - by, mantissa << by & mantissaMask
}

// slotStart has the bucket at the start of each slot. A slot is one of 2^coarseScale equal steps of the mantissa. The
// slope of log2 is at most 1/ln 2 = 1.44, so at most two bucket bounds lie within a slot, and two comparisons find the
// bucket of any value in it.
var slotStart = func() (start [coarseSize]uint8) {
	i := 0
	for slot := range start {
		first := uint64(slot) << (mantissaBits - coarseScale)
		for coarseBounds[i] < first {
			i++
		}
		start[slot] = uint8(i)
	}
	return start
}()

// coarseBounds has the mantissas of the inclusive upper bounds at coarseScale. The last two elements are above any
// mantissa: one for the last bucket, whose bound is the next power of two, and a sentinel for the second comparison.
var coarseBounds = func() (bounds [coarseSize + 1]uint64) {
	for i := range uint32(coarseSize - 1) {
		bounds[i] = subBound((i + 1) << (2 * fineBits))
	}
	bounds[coarseSize-1], bounds[coarseSize] = mantissaMask+1, mantissaMask+1
	return bounds
}()

func coarseIndex(mantissa uint64) int32 {
	i := uint(slotStart[uint8(mantissa>>(mantissaBits-coarseScale))])
	first, second := coarseBounds[i], coarseBounds[i+1]
	if mantissa > first {
		i++
	}
	if mantissa > second {
		i++
	}
	return int32(i)
}

// coarseInverse has 1 / lower bound of the coarse buckets.
var coarseInverse = func() (inverse [coarseSize]float64) {
	for i := range inverse {
		inverse[i] = 1 / coarsePowers[i].hi
	}
	return inverse
}()

// fineIndex refines a coarse bucket at a higher scale. It divides the value by the coarse bucket's lower bound. The
// quotient is 1+t with 0 < t < 2^(1/256)-1 = 0.0027, so five terms of the logarithm's series are accurate to 1e-16.
// Together with the rounding of t the error is 1e-9 of a bucket at scale 20. Only a value within 1e-6 of a bound is
// compared with the bound itself.
func fineIndex(scale, coarse int32, mantissa uint64) int32 {
	const doubt = 1e-6
	m := math.Float64frombits(exponentBias<<mantissaBits | mantissa)
	t := m*coarseInverse[coarse] - 1
	t2 := t * t
	ln := t - t2*(1.0/2-t*(1.0/3)) - t2*t2*(1.0/4-t*(1.0/5))
	position := ln * math.Log2E * float64(int32(1)<<scale)

	first := coarse << (scale - coarseScale)
	nearest := int32(position + 0.5)
	if off := position - float64(nearest); off > doubt {
		return first + nearest
	} else if off < -doubt {
		return first + nearest - 1
	}
	next := first + nearest // the bucket above the bound in doubt
	if next > 0 && mantissa <= subBoundOr1(next<<(MaxScale-scale)) {
		return next - 1
	}
	return next
}

// subBoundOr1 returns subBound, or the largest mantissa for the bound of the last bucket, which is the next power of
// two.
func subBoundOr1(sub int32) uint64 {
	if sub >= 1<<MaxScale {
		return mantissaMask
	}
	return subBound(uint32(sub))
}
