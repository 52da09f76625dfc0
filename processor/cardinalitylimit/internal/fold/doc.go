// Package fold adds the points of many series into one, so that totals survive a limit.
//
//	stage -> commit -> accumulate -> flush -> finish
//
// A batch stages its points. It commits them when downstream has accepted the rest of the batch. So a batch that is refused
// and sent again is folded once. One accumulator is the state of one outgoing series. The type of a point decides how it is
// added:
//
//   - deltas are added; the outgoing intervals touch;
//   - of a cumulative monotonic point, the growth since the last point of its own stream is added to one cumulative series,
//     which has a start of its own;
//   - non-monotonic cumulative sums leave as the sum of the live streams' last values;
//   - gauges are folded as configured.
//
// Cumulative values are never added directly, because a stream that vanished would look like a counter reset.
//
// Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#temporality
//
// The package has more than 2,000 lines because its parts share the accumulators and their locks: the measures (number,
// histogram, exponential), the streams and writers, the cut for the storage, and the flush.
package fold
