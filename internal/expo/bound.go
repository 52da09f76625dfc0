package expo

import (
	"math"
	"math/big"
)

const (
	mantissaBits = 52
	mantissaMask = 1<<mantissaBits - 1
	exponentMask = 1<<11 - 1
	exponentBias = 1023
	minNormalExp = -1022
	minSubnormal = -1074
)

// UpperBound returns base^(index+1), the inclusive upper bound of a bucket, rounded towards zero: the largest float64 in
// the bucket or below it. A power of two is exact, and at scales <= 0 every bound is one. Bounds from 2^1024 on are
// +Inf, and bounds below the smallest subnormal are 0.
//
// A scale above [MaxScale] is treated as MaxScale, with the bucket that contains the index.
func UpperBound(scale, index int32) float64 {
	return power(scale, int64(index)+1)
}

// LowerBound returns base^index, the exclusive lower bound of a bucket, rounded
// like [UpperBound].
func LowerBound(scale, index int32) float64 {
	return power(scale, int64(index))
}

// RaiseToBound returns the lowest bucket bound at or above threshold, and 0 for a threshold that is not positive. The
// result is finite: 2^1024 becomes the largest float64.
func RaiseToBound(scale int32, threshold float64) float64 {
	if !(threshold > 0) {
		return 0
	}
	return min(UpperBound(scale, Index(scale, threshold)), math.MaxFloat64)
}

// power returns base^n rounded towards zero.
func power(scale int32, n int64) float64 {
	if scale <= 0 {
		// Shifted by 12, every n other than 0 is beyond the range of float64.
		by := min(-int64(scale), 12)
		return math.Ldexp(1, int(min(max(n, -2048), 2048)<<by))
	}
	if scale > MaxScale {
		n >>= min(int64(scale)-int64(MaxScale), 63)
		scale = MaxScale
	}
	exp := n >> scale
	sub := uint32(n&(1<<scale-1)) << (MaxScale - scale)
	mantissa := subBound(sub)
	switch {
	case exp > exponentBias:
		return math.Inf(1)
	case exp >= minNormalExp:
		return math.Float64frombits(uint64(exp+exponentBias)<<mantissaBits | mantissa)
	case exp >= minSubnormal:
		return math.Float64frombits((1<<mantissaBits | mantissa) >> (minNormalExp - exp))
	default:
		return 0
	}
}

// double is the unevaluated sum hi+lo, where |lo| <= ulp(hi)/2. It has 106 bits.
type double struct{ hi, lo float64 }

func (a double) mul(b double) double {
	p := a.hi * b.hi
	e := math.FMA(a.hi, b.hi, -p) + (a.hi*b.lo + a.lo*b.hi)
	hi := p + e
	return double{hi, e - (hi - p)}
}

// The 20 bits of a position within a power of two at MaxScale are divided into 8, 6 and 6 bits, so that
// 2^(position * 2^-20) is the product of one entry of each of three tables. The product is accurate to 2^-100 of its
// value. That decides the rounding of every bound: the one nearest to a float64 is about 2^-73 of its value away from
// it (there are 2^20 bounds, each at a random place within 2^-53).
const (
	coarseScale = 8
	coarseSize  = 1 << coarseScale
	fineBits    = 6
	fineSize    = 1 << fineBits
)

var (
	coarsePowers = powerTable(coarseSize, coarseScale)
	middlePowers = powerTable(fineSize, coarseScale+fineBits)
	finePowers   = powerTable(fineSize, coarseScale+2*fineBits)
)

// powerTable returns 2^(i * 2^-scale) for i in [0, n).
func powerTable(n, scale int) []double {
	const precision = 160
	base := new(big.Float).SetPrec(precision).SetInt64(2)
	for range scale {
		base.Sqrt(base)
	}
	table := make([]double, n)
	p := new(big.Float).SetPrec(precision).SetInt64(1)
	rest := new(big.Float).SetPrec(precision)
	for i := range table {
		hi, _ := p.Float64()
		lo, _ := rest.Sub(p, rest.SetFloat64(hi)).Float64()
		table[i] = double{hi, lo}
		p.Mul(p, base)
	}
	return table
}

// subBound returns the mantissa bits of 2^(sub * 2^-20), rounded towards zero, for sub in [0, 2^20).
func subBound(sub uint32) uint64 {
	if sub == 0 {
		return 0
	}
	b := coarsePowers[sub>>(2*fineBits)].
		mul(middlePowers[sub>>fineBits&(fineSize-1)]).
		mul(finePowers[sub&(fineSize-1)])
	bits := math.Float64bits(b.hi)
	if b.lo < 0 {
		bits--
	}
	return bits & mantissaMask
}
