package convert

// Layout is what a point's values are laid out in.
type Layout uint8

// The layouts a point can have before; after, it is a histogram.
const (
	ExplicitLayout Layout = iota
	ExponentialLayout
	GaugeLayout
	Layouts // their number
)

// String returns the layout's name in telemetry.
func (l Layout) String() string {
	return [...]string{"explicit", "exponential", "gauge"}[l]
}

// Reason says why a point is as it was.
type Reason uint8

// The reasons; see their names.
const (
	NoRecordedValue Reason = iota
	NoBuckets              // count and sum only, or a single bucket: nothing to go by
	Forbidden              // its buckets would have to be split
	RankError              // it would exceed the rule's bound
	Invalid
	Reasons // their number

	// Unmatched is no reason: no rule has a target for the point. It is not counted.
	Unmatched = Reasons
)

// String returns the reason's name in telemetry.
func (r Reason) String() string {
	return [...]string{"no_recorded_value", "no_buckets", "split_forbidden", "rank_error", "invalid"}[r]
}

// Violation says why a cumulative point cannot continue what was emitted of its stream.
type Violation uint8

// The violations; see their names.
const (
	ScaleChanged Violation = iota // fell below the working scale, or further; rose, in a stream that is kept
	ZeroThresholdChanged
	ZeroSideChanged // a first negative observation
	BoundsChanged
	BucketFell // while the count did not
	CountFell  // without a new start
	Violations // their number
)

// String returns the violation's name in telemetry.
func (v Violation) String() string {
	return [...]string{"scale", "zero_threshold", "zero_side", "bounds", "bucket", "count"}[v]
}

// Action says what is done about a violation.
type Action uint8

// The actions; see their names.
const (
	Reset   Action = iota // the stream gets a new start
	Hold                  // what was emitted last is emitted again; needs state
	Drop                  // the point is dropped
	Actions               // their number
)

// String returns the action's name in telemetry.
func (a Action) String() string { return [...]string{"reset", "hold", "drop"}[a] }

// Report collects what happened to the points of a batch. Not safe for concurrent
// use.
type Report struct {
	// Converted counts points by the rule's index, from and to.
	Converted [][Layouts][Layouts]int64
	Passed    [Reasons]int64
	Dropped   int64 // invalid ones
	Repaired  int64 // invalid ones that got the sum of their buckets as their count
	// OpenEnds is the sum of counts placed by the rule for open ends.
	OpenEnds uint64
	// Violations counts cumulative points that could not continue their stream.
	Violations [Actions][Violations]int64
	// RankErrors has, for each metric converted, the largest bound on the error of
	// the cumulative share at a target bound among its points.
	RankErrors []float64
	// Err is the first invalid point's; it wraps histpoint.ErrInvalid.
	Err error
}

// Reset empties r for n rules.
func (r *Report) Reset(n int) {
	if len(r.Converted) != n {
		r.Converted = make([][Layouts][Layouts]int64, n)
	}
	clear(r.Converted)
	*r = Report{Converted: r.Converted, RankErrors: r.RankErrors[:0]}
}
