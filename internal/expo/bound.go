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

// UpperBound returns base^(index+1), the inclusive upper bound of a bucket,
// rounded towards zero: the largest float64 in the bucket or below it. It is
// exact wherever the bound is a power of two, which is always so for scale <= 0.
// Bounds from 2^1024 on are +Inf, bounds below the smallest subnormal are 0.
//
// Resolution above [MaxScale] is not kept; bring such buckets to it first.
func UpperBound(scale, index int32) float64 {
	return power(scale, int64(index)+1)
}

// LowerBound returns base^index, the exclusive lower bound of a bucket, rounded
// like [UpperBound].
func LowerBound(scale, index int32) float64 {
	return power(scale, int64(index))
}

// RaiseToBound returns the lowest bucket bound at or above threshold, and 0 for 0.
// It is finite: base^1024 becomes the largest float64.
func RaiseToBound(scale int32, threshold float64) float64 {
	if !(threshold > 0) {
		return 0
	}
	return min(UpperBound(scale, Index(scale, threshold)), math.MaxFloat64)
}

// power returns base^n rounded towards zero.
func power(scale int32, n int64) float64 {
	if scale <= 0 {
		// Past 12 the shift leaves the range of float64 for every n but 0.
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

// double is an unevaluated sum hi+lo with |lo| <= ulp(hi)/2: 106 bits.
type double struct{ hi, lo float64 }

func (a double) mul(b double) double {
	p := a.hi * b.hi
	e := math.FMA(a.hi, b.hi, -p) + (a.hi*b.lo + a.lo*b.hi)
	hi := p + e
	return double{hi, e - (hi - p)}
}

// The 20 bits of a position within a power of two at MaxScale are split 8+6+6;
// 2^(position * 2^-20) is then the product of one entry of each table. The bounds
// come no nearer to a float64 than about 2^-73 of their value (2^20 bounds, each
// uniform within its 2^-53), and the product is good to 2^-100.
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

// subBound returns the mantissa bits of 2^(sub * 2^-20), sub in [0, 2^20),
// rounded towards zero.
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
