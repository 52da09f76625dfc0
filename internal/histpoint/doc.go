// Package histpoint reads, checks and writes histogram datapoints.
//
// # Valid points
//
// An explicit point is valid if
//
//   - it has neither bounds nor bucket counts (count and sum only, which is one bucket from -Inf to +Inf), or one bucket
//     count more than bounds;
//   - its bounds are finite and increasing. Only the last bound may be +Inf, which Prometheus' libraries list and OTLP
//     implies. It is removed, and there may also be as many bucket counts as bounds;
//   - its bucket counts add up to its count, within 64 bits.
//
// An exponential point is valid if
//
//   - its zero threshold is finite and not negative;
//   - its bucket indexes fit 32 bits;
//   - its zero count and bucket counts add up to its count, within 64 bits.
//
// Nothing else makes a point invalid. Any scale is valid. Sum, minimum and maximum may be absent. They may also be
// infinite or NaN, if such a value was observed. Code that adds sums up should check [Totals.Finite]; code that only
// copies totals need not. Points with the flag NoRecordedValue are not histograms and must not be loaded.
//
// Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#histogram
//
// Functions are not safe for concurrent use of the same point or histogram.
package histpoint
