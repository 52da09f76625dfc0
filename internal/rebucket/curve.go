package rebucket

import "math"

// cubic returns the share of a bucket's count below t. t is the position within the bucket, from 0 to 1, in the
// coordinate of the split. The share is a cubic polynomial in t:
//
//	F(t) = t^2 (3-2t) + t (1-t)^2 left - t^2 (1-t) right
//
// Left and right are its slopes at the bounds, in units of the bucket's mean density. Slopes of 1 give the straight
// line, which is the Log split. The cubic is monotone if both slopes are in [0, 3]: Fritsch and Carlson, "Monotone
// Piecewise Cubic Interpolation", SIAM J. Numer. Anal. 17 (1980) 238-246.
func cubic(t, left, right float64) float64 {
	return unit(t * (t*(3-2*t) + (1-t)*(left*(1-t)-right*t)))
}

// slope returns the slope at the bound between a bucket and a neighbour whose width is ratio times the bucket's. It is
// the harmonic mean of both densities, weighted by width: 0 if the neighbour is empty, and at most three times the lower
// density. Fritsch and Butland, "A Method for Constructing Local Monotone Piecewise Cubic Interpolants", SIAM J. Sci.
// Stat. Comput. 5 (1984) 300-304, as in their PCHIP (SLATEC, PCHIM).
func slope(ratio, count, neighbour float64) float64 {
	if neighbour == 0 {
		return 0
	}
	return 3 * (1 + ratio) * neighbour / ((2+ratio)*ratio*count + (1+2*ratio)*neighbour)
}

// endSlope returns the slope at a bound without a neighbour beyond it: that of the parabola through the bucket and its
// neighbour on the other side, but at least 0. This is PCHIM's rule. The parabola's slope is at most 2.
func endSlope(ratio, count, neighbour float64) float64 {
	return max(((2+ratio)-neighbour/(ratio*count))/(1+ratio), 0)
}

// span is the range of a bucket and its coordinate.
type span struct {
	lo, hi float64
	linear bool // the coordinate is the value, as the bucket touches zero; otherwise it is the logarithm
}

func spanOf(lo, hi float64) span { return span{lo, hi, touchesZero(lo, hi)} }

// ratio returns the width of the neighbour, which adjoins s, in units of the width of s. It is 0 if one of them has no
// width.
func (s span) ratio(neighbour span) float64 {
	common := s.hi // bound
	if neighbour.hi == s.lo {
		common = s.lo
	}
	r := neighbour.width(common) / s.width(common)
	if !(r > 0) || math.IsInf(r, 1) {
		return 0
	}
	return min(max(r, 1/maxRatio), maxRatio)
}

// maxRatio keeps the terms of a slope finite. A slope is between 0 and 3 for any ratio, so the bound affects the shape
// of the curve only.
const maxRatio = 0x1p40

// width returns the width of the span in the logarithmic coordinate. At the bound between a linear and a logarithmic
// span a difference of values is converted to one of logarithms by dx = bound * d(ln x).
func (s span) width(bound float64) float64 {
	switch {
	case !s.linear && s.lo > 0:
		return logWidth(s.lo, s.hi)
	case !s.linear:
		return logWidth(-s.hi, -s.lo)
	case bound == 0:
		return s.hi - s.lo
	default:
		return (s.hi - s.lo) / math.Abs(bound)
	}
}
