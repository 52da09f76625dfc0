package rebucket

import (
	"fmt"
	"math"
)

// Split is an assumption about the distribution of observations within a bucket.
type Split uint8

const (
	// Log assumes that the logarithms of the observations are uniformly distributed. In a bucket that touches zero,
	// which has no logarithm, it is Linear.
	Log Split = iota
	// Linear assumes that the observations are uniformly distributed.
	Linear
	// Upper assumes that all observations are at the bucket's upper bound.
	Upper
	// Midpoint assumes that all observations are in the middle between the bounds.
	Midpoint
	// PCHIP interpolates the cumulative counts by a monotone cubic in the coordinate of Log. Its shares depend on the
	// counts. In Apply, where they must not, it is Log.
	PCHIP
)

var splitNames = [...]string{Log: "log", Linear: "linear", Upper: "upper", Midpoint: "midpoint", PCHIP: "pchip"}

// String returns the name of s in the configuration.
func (s Split) String() string {
	if int(s) < len(splitNames) {
		return splitNames[s]
	}
	return fmt.Sprintf("Split(%d)", uint8(s))
}

// spreads reports whether the observations are spread over the whole bucket, so that the minimum and the maximum matter.
func (s Split) spreads() bool { return s == Log || s == Linear || s == PCHIP }

// share returns the assumed share of a bucket's observations at or below bound, in [0, 1], for lo < bound < hi.
func (s Split) share(lo, bound, hi float64) float64 {
	switch s {
	case Upper:
		return 0
	case Midpoint:
		if lo/2+hi/2 <= bound {
			return 1
		}
		return 0
	case Log, PCHIP:
		switch {
		case lo > 0:
			return logShare(lo, bound, hi)
		case hi < 0:
			return 1 - logShare(-hi, -bound, -lo)
		}
	}
	// With halves the width of the whole range of float64 does not overflow.
	return unit((bound/2 - lo/2) / (hi/2 - lo/2))
}

// touchesZero reports whether zero is inside a bucket or one of its bounds.
func touchesZero(lo, hi float64) bool { return !(lo > 0 || hi < 0) }

func logShare(lo, bound, hi float64) float64 {
	return unit(logWidth(lo, bound) / logWidth(lo, hi))
}

// logWidth returns ln(hi/lo) for hi >= lo > 0.
func logWidth(lo, hi float64) float64 {
	// If hi/lo is near 1, the difference preserves its precision. If it is far from 1, the quotient could overflow.
	if hi/2 < lo {
		return math.Log1p((hi - lo) / lo)
	}
	return math.Log(hi) - math.Log(lo)
}

// unit limits p to [0, 1]. Comparisons are faster than min and max, which must handle negative zeros.
func unit(p float64) float64 {
	switch {
	case p >= 1:
		return 1
	case p >= 0:
		return p
	default:
		return 0
	}
}
