package rebucket

import (
	"fmt"
	"math"
)

// Split says how observations are taken to lie within a bucket.
type Split uint8

const (
	// Log spreads them evenly over the logarithm; buckets that touch zero, where
	// there is none, are spread linearly.
	Log Split = iota
	// Linear spreads them evenly over the values.
	Linear
	// Upper puts them all at the bucket's upper bound.
	Upper
	// Midpoint puts them all in the middle between the bounds.
	Midpoint
)

var splitNames = [...]string{Log: "log", Linear: "linear", Upper: "upper", Midpoint: "midpoint"}

// String returns the configuration's name of s.
func (s Split) String() string {
	if int(s) < len(splitNames) {
		return splitNames[s]
	}
	return fmt.Sprintf("Split(%d)", uint8(s))
}

// share returns the part of a bucket's observations taken to be at or below bound,
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
	case Log:
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

func logShare(lo, bound, hi float64) float64 {
	// Quotients near 1 keep their precision as a difference; far from 1 they could overflow.
	if hi/2 < lo {
		return unit(math.Log1p((bound-lo)/lo) / math.Log1p((hi-lo)/lo))
	}
	return unit((math.Log(bound) - math.Log(lo)) / (math.Log(hi) - math.Log(lo)))
}

func unit(p float64) float64 { return min(max(p, 0), 1) }
