// Package histpoint reads, checks and writes histogram datapoints.
//
// # Valid points
//
// An explicit point is valid if
//
//   - it has neither bounds nor bucket counts (count and sum only, which is one
//     bucket from -Inf to +Inf), or one bucket count more than bounds;
//   - its bounds are finite and increasing. The last bound may be +Inf and is
//     left out then, as Prometheus' libraries list it and OTLP implies it; then there may
//     also be as many bucket counts as bounds;
//   - its bucket counts add up to its count, within 64 bits.
//
// An exponential point is valid if
//
//   - its zero threshold is finite and not negative;
//   - its bucket indexes are within 32 bits;
//   - zero count and bucket counts add up to its count, within 64 bits.
//
// Nothing else makes a point invalid. The scale may be any. Sum, minimum and
// maximum may be absent or, since a NaN or an infinity that was observed shows
// there, not finite: who passes them on need not care, who adds them up should ask
// [Totals.Finite]. Points flagged NoRecordedValue are not histograms; do not load
// them.
//
// Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#histogram
//
// Nothing here is safe for concurrent use on the same point or histogram.
package histpoint
