// Package fold adds the points of many series into one, so that totals survive a
// limit.
//
//	stage -> commit -> accumulate -> flush -> settle
//
// A batch stages its points and commits them once downstream has taken the rest of
// the batch: a batch that is refused and sent again is folded once. One accumulator
// stands for one outgoing series. How a point enters depends on what it is:
//
//   - deltas add; the intervals that leave touch;
//   - cumulative monotonic points enter as differences against the last point of
//     their own stream, into one cumulative series with a start of its own;
//   - non-monotonic cumulative sums leave as the sum of the live streams' last
//     values;
//   - gauges by the configured choice.
//
// Cumulative values are never added as they come: a stream that vanished would
// look like a counter reset.
//
// Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#temporality
package fold
