package convert

// Layout is the kind of a point's layout.
type Layout uint8

// The layouts of points. A converted point has one of the first two.
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

// Reason says why a point was not converted.
type Reason uint8

// The reasons. String returns their names.
const (
	NoRecordedValue Reason = iota
	NoBuckets              // the point has only count and sum, or a single bucket
	Forbidden              // buckets would have to be split
	RankError              // the rank error would exceed the rule's bound
	Invalid
	Reasons // their number

	// Unmatched means that the rule has no target. Such points are not counted.
	Unmatched = Reasons
)

// String returns the reason's name in telemetry.
func (r Reason) String() string {
	return [...]string{"no_recorded_value", "no_buckets", "split_forbidden", "rank_error", "invalid"}[r]
}

// Violation says why a cumulative point cannot continue the emitted stream.
type Violation uint8

// The violations. String returns their names.
const (
	ScaleChanged         Violation = iota // the scale fell below the working scale, fell further, or rose in a stream with state
	ZeroThresholdChanged                  // it rose, or fell in a stream with state
	ZeroSideChanged                       // the first negative observation arrived
	BoundsChanged
	BucketFell // although the count did not
	CountFell  // without a new start timestamp
	Violations // their number
)

// String returns the violation's name in telemetry.
func (v Violation) String() string {
	return [...]string{"scale", "zero_threshold", "zero_side", "bounds", "bucket", "count"}[v]
}

// Action is the treatment of a violation.
type Action uint8

// The actions. String returns their names.
const (
	Reset   Action = iota // the stream gets a new start timestamp
	Hold                  // the values that were emitted last are emitted again; needs state
	Drop                  // the point is dropped
	Actions               // their number
)

// String returns the action's name in telemetry.
func (a Action) String() string { return [...]string{"reset", "hold", "drop"}[a] }

// Report counts the points of a batch. It is not safe for concurrent use.
type Report struct {
	// Converted counts points by the index of the rule and by their layouts before and after.
	Converted [][Layouts][Layouts]int64
	Passed    [Reasons]int64 // points that were not converted
	Dropped   int64          // invalid points
	Repaired  int64          // invalid points whose count was set to the sum of their buckets
	// OpenEnds is the number of observations that were placed by the rule for open ends.
	OpenEnds uint64
	// Violations counts cumulative points that could not continue their stream.
	Violations [Actions][Violations]int64
	// RankErrors has the largest rank error among the points of each converted metric. The rank error of a point bounds
	// the error of its cumulative share at any target bound.
	RankErrors []float64
	// Err is the error of the first invalid point. It wraps histpoint.ErrInvalid.
	Err error
}

// Reset empties the report for n rules.
func (r *Report) Reset(n int) {
	if len(r.Converted) != n {
		r.Converted = make([][Layouts][Layouts]int64, n)
	}
	clear(r.Converted)
	*r = Report{Converted: r.Converted, RankErrors: r.RankErrors[:0]}
}
