// Package floats tests numbers for NaN and the infinities, and bounds sums to the finite range.
package floats

import "math"

// Number is an integer, a float, or a type based on one, such as time.Duration.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// IsFinite reports whether a number is neither NaN nor an infinity. Only for those the difference from itself is not zero.
func IsFinite[T Number](v T) bool { return v-v == 0 }

// Clamp returns v, or the finite float64 that is nearest to it if v is an infinity. NaN remains NaN.
func Clamp(v float64) float64 { return min(max(v, -math.MaxFloat64), math.MaxFloat64) }
