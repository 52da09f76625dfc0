package rebucket

import (
	"fmt"
	"math"
)

// Split says how observations are assumed to lie within a bucket.
type Split uint8

const (
	// Log spreads them evenly over the logarithm; buckets that touch zero, which has
	// none, are spread linearly.
	Log Split = iota
	// Linear spreads them evenly over the values.
	Linear
	// Upper puts them all at the bucket's upper bound.
	Upper
	// Midpoint puts them all in the middle between the bounds.
	Midpoint
	// PCHIP lays a monotone cubic through the cumulative counts, over the coordinate
	// of Log. Its shares depend on counts; where they must not, it is Log.
	PCHIP
)

var splitNames = [...]string{Log: "log", Linear: "linear", Upper: "upper", Midpoint: "midpoint", PCHIP: "pchip"}

// String returns the configuration's name of s.
func (s Split) String() string {
	if int(s) < len(splitNames) {
		return splitNames[s]
	}
	return fmt.Sprintf("Split(%d)", uint8(s))
}

// spreads reports whether observations lie all over a bucket, so that it matters where
// the first and the last of them are.
func (s Split) spreads() bool { return s == Log || s == Linear || s == PCHIP }

// share returns the part of a bucket's observations assumed to be at or below bound,
// for lo < bound < hi, in [0, 1].
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
	// Halves, so that a bucket of the whole range of float64 does not overflow.
	return unit((bound/2 - lo/2) / (hi/2 - lo/2))
}

// touchesZero reports whether a bucket has no logarithm throughout.
func touchesZero(lo, hi float64) bool { return !(lo > 0 || hi < 0) }

func logShare(lo, bound, hi float64) float64 {
	return unit(logWidth(lo, bound) / logWidth(lo, hi))
}

// logWidth returns ln(hi/lo) for hi >= lo > 0.
func logWidth(lo, hi float64) float64 {
	// Quotients near 1 keep their precision as a difference; far from 1 they could overflow.
	if hi/2 < lo {
		return math.Log1p((hi - lo) / lo)
	}
	return math.Log(hi) - math.Log(lo)
}

// unit limits p to [0, 1]. Comparisons are faster than min and max, which must look
// for negative zeros.
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
