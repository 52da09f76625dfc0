package line

import (
	"math"
	"strconv"
	"unsafe"
)

// Value is one number of a line.
type Value struct {
	Float  float64
	Int    int64 // the same number exactly, if Whole
	Whole  bool  // written without point and exponent, and within an int64
	Signed bool  // written with a sign, as a gauge's change
}

// fastDigits is the number of decimal digits that always fit into an int64.
const fastDigits = 18

// number parses [+-]digits[.digits][e[+-]digits], with blanks around it. Unlike strconv it accepts neither NaN nor infinity,
// and neither hexadecimal digits nor underscores. The Float of a number that is too large for a float64 is infinite.
func number(b []byte) (v Value, ok bool) {
	if len(b) == 0 {
		return v, false
	}
	digits, negative := b, false
	if b[0] == '-' || b[0] == '+' {
		v.Signed, negative, digits = true, b[0] == '-', b[1:]
	}
	if len(digits) == 0 || len(digits) > fastDigits+1 {
		return slowNumber(b, v)
	}
	var mantissa int64
	fraction := -1 // number of digits after the point; -1: no point yet
	for _, c := range digits {
		switch {
		case c-'0' <= 9:
			mantissa = mantissa*10 + int64(c-'0')
			if fraction >= 0 {
				fraction++
			}
		case c == '.' && fraction < 0:
			fraction = 0
		default:
			return slowNumber(b, v)
		}
	}
	if fraction < 0 && len(digits) > fastDigits {
		return slowNumber(b, v)
	}
	if fraction >= 0 && len(digits) == 1 { // a lone point
		return v, false
	}
	if negative {
		mantissa = -mantissa
	}
	if fraction < 0 {
		v.Int, v.Whole, v.Float = mantissa, true, float64(mantissa)
		return v, true
	}
	// A mantissa below 2^53 divided by an exact power of ten is correctly rounded.
	if mantissa > exactFloat || mantissa < -exactFloat {
		return slowNumber(b, v)
	}
	v.Float = float64(mantissa) / powersOfTen[fraction]
	return v, true
}

const exactFloat = 1 << 53

var powersOfTen = [fastDigits + 1]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// slowNumber checks that all characters are those of a decimal number and leaves the rounding to strconv.
func slowNumber(b []byte, v Value) (Value, bool) {
	if trimmed := TrimBlanks(b); len(trimmed) < len(b) {
		return number(trimmed)
	}
	for _, c := range b {
		if c-'0' > 9 && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return v, false
		}
	}
	if i, ok := integer(b); ok {
		v.Int, v.Whole, v.Float = i, true, float64(i)
		return v, true
	}
	s := unsafe.String(unsafe.SliceData(b), len(b)) // safe: strconv keeps no reference to s, and its errors contain a copy
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return v, false
	}
	v.Float = f + 0 // turns -0, such as -0e0 or -1e-400, into 0
	return v, true
}

// integer parses an integer of up to 19 digits, which always fits into a uint64. Unlike strconv.ParseInt it does not allocate if
// the text is not an integer.
func integer(b []byte) (int64, bool) {
	digits, negative := b, false
	if b[0] == '-' || b[0] == '+' {
		negative, digits = b[0] == '-', b[1:]
	}
	if len(digits) == 0 || len(digits) > fastDigits+1 {
		return 0, false
	}
	var u uint64
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	switch {
	case !negative && u <= math.MaxInt64:
		return int64(u), true
	case negative && u <= -math.MinInt64:
		return -int64(u), true
	}
	return 0, false
}
