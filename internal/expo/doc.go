// Package expo is the exponential histogram arithmetic of the OpenTelemetry
// data model.
//
// At scale s the base is 2^(2^-s) and bucket i counts values in
// (base^i, base^(i+1)]: lower-exclusive, upper-inclusive. A scale one lower
// joins each pair of buckets 2i, 2i+1 exactly, so downscaling loses resolution
// but never moves a count across a bound that remains:
//
//	scale s      | -2 | -1 |  0 |  1 |  2 |  3 |
//	scale s-1    |   -1    |    0    |    1    |
//
// Mapping a value to its bucket is exact: a float64 v is in bucket i if and only
// if it is in the interval above in real arithmetic, at every scale and for
// subnormal values too. [UpperBound] is rounded towards zero so that comparing a
// float64 with it gives the same answer.
//
// Counts saturate at the largest uint64 instead of wrapping.
//
// Nothing here is safe for concurrent use by itself; the functions without
// receiver are pure and safe.
//
// Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
package expo

const (
	// MinScale is the lowest scale SDKs produce: one bucket spans a factor of 2^1024.
	MinScale int32 = -10
	// MaxScale is the highest: 2^20 buckets a power of two, which with the 2098
	// powers of two of float64 keeps every index within an int32.
	MaxScale int32 = 20
	// DefaultMaxSize is the default bucket limit of SDKs, per sign.
	DefaultMaxSize = 160
)
