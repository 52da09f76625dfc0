package rebucket

import "math"

// The cumulative count over a bucket is a cubic in t, the place within the bucket in
// the coordinate of the split, from 0 to 1:
//
//	F(t) = t^2 (3-2t) + t (1-t)^2 left - t^2 (1-t) right
//
// with its slopes at both bounds in units of the bucket's mean density. Slopes of 1
// are the straight line, which is the Log split. The cubic is monotone if both slopes
// are in [0, 3]: Fritsch and Carlson, "Monotone Piecewise Cubic Interpolation", SIAM
// J. Numer. Anal. 17 (1980) 238-246.
func cubic(t, left, right float64) float64 {
	return unit(t * (t*(3-2*t) + (1-t)*(left*(1-t)-right*t)))
}

// slope is that between a bucket and a neighbour whose width is ratio times the
// bucket's: the harmonic mean of both densities, weighted by width. It is 0 where the
// neighbour is empty and never exceeds three times the lower density. Fritsch and
// Butland, "A Method for Constructing Local Monotone Piecewise Cubic Interpolants",
// SIAM J. Sci. Stat. Comput. 5 (1984) 300-304, as in their PCHIP (SLATEC, PCHIM).
func slope(ratio, count, neighbour float64) float64 {
	if neighbour == 0 {
		return 0
	}
	return 3 * (1 + ratio) * neighbour / ((2+ratio)*ratio*count + (1+2*ratio)*neighbour)
}

// endSlope is that at a bound beyond which there is nothing: of the parabola through
// the bucket and its neighbour on the other side, but not below 0 (PCHIM's rule; the
// parabola's is at most 2).
func endSlope(ratio, count, neighbour float64) float64 {
	return max(((2+ratio)-neighbour/(ratio*count))/(1+ratio), 0)
}

// span is the extent of a bucket, and the coordinate over which: values where its bounds
// touch zero, logarithms elsewhere.
type span struct {
	lo, hi float64
	linear bool
}

func spanOf(lo, hi float64) span { return span{lo, hi, touchesZero(lo, hi)} }

// ratio returns the width of a span in units of that of s, which adjoins it, or 0 if
// either has none.
func (s span) ratio(neighbour span) float64 {
	knot := s.hi
	if neighbour.hi == s.lo {
		knot = s.lo
	}
	r := neighbour.width(knot) / s.width(knot)
	if !(r > 0) || math.IsInf(r, 1) {
		return 0
	}
	return min(max(r, 1/maxRatio), maxRatio)
}

// maxRatio keeps the terms of a slope finite. A slope is between 0 and 3 for any
// ratio, so nothing depends on it but the shape.
const maxRatio = 0x1p40

// width is in the coordinate of Log. At a bound between both kinds of span, the knot,
// values become logarithms by dx = knot d(ln x).
func (s span) width(knot float64) float64 {
	switch {
	case !s.linear && s.lo > 0:
		return logWidth(s.lo, s.hi)
	case !s.linear:
		return logWidth(-s.hi, -s.lo)
	case knot == 0:
		return s.hi - s.lo
	default:
		return (s.hi - s.lo) / math.Abs(knot)
	}
}
