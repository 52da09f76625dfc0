// Package expo is the arithmetic of the OpenTelemetry data model's exponential histograms.
//
// At scale s the base is 2^(2^-s), and bucket i counts values in (base^i, base^(i+1)]: lower-exclusive,
// upper-inclusive. The next lower scale joins the buckets 2i and 2i+1 exactly. So downscaling loses resolution, but
// never moves a count across a remaining bound:
//
//	scale s      | -2 | -1 |  0 |  1 |  2 |  3 |
//	scale s-1    |   -1    |    0    |    1    |
//
// Mapping a value to its bucket is exact: a float64 v belongs to bucket i if and only if it lies in the interval above
// in real arithmetic, at every scale and also for subnormal values. [UpperBound] is rounded towards zero, so that
// comparing a float64 with it gives the same result.
//
// Counts saturate at the largest uint64 instead of wrapping.
//
// Functions without a receiver are safe for concurrent use. Methods are not.
//
// Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
package expo

const (
	// MinScale is the lowest scale that SDKs produce: one bucket spans a factor of 2^1024.
	MinScale int32 = -10
	// MaxScale is the highest scale that SDKs produce. With 2^20 buckets per power of two and the 2098 powers of two of
	// float64, every index fits an int32.
	MaxScale int32 = 20
	// DefaultMaxSize is the SDKs' default limit of buckets per sign.
	DefaultMaxSize = 160
)
