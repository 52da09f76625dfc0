package convert

import "github.com/otelcol-custom/otelcol-custom/internal/rebucket"

// source is a loaded point of a stream, either explicit or exponential.
type source interface {
	// plan returns the plan from the point's layout to the target of the stream s. If s is nil, the plan determines the
	// target of a new stream.
	plan(s *stream) planned
	apply(p *plan, to []uint64) rebucket.Tally
	// restarted reports whether the source restarted after the last point of s without a new start timestamp, and which
	// change shows it.
	restarted(s *stream) (Violation, bool)
	// align brings copies of this point and of the last point of s to the finest layout that both share.
	align(s *stream) aligned
	// keep makes this point the last point of s.
	keep(s *stream)
}

// aligned has this point and the last one of a stream in one layout.
type aligned struct {
	pair       bucketPair
	plan       *plan // from that layout to the stream's target
	sameLayout bool  // both points had that layout already
}

// bucketPair has the buckets of this point and of the last one in one layout.
type bucketPair interface {
	// decreased reports whether a bucket has a lower count than before.
	decreased() bool
	// apply converts the counts of this point and of the last one.
	apply(p *plan, now, before []uint64)
}
