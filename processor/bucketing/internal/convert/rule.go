package convert

import "github.com/otelcol-custom/otelcol-custom/internal/rebucket"

// Rule says what the points of the metrics it matches become. At most one of
// Explicit, Exponential and Limit is set, and not Limit for gauges; with none of them
// histograms are inspected and keep their layout. Immutable, safe for concurrent use.
type Rule struct {
	// Index is the rule's place in the configuration; it is part of plan keys.
	Index int

	Explicit    *Explicit
	Exponential *Exponential
	Limit       *Limit

	Split rebucket.Split
	// Forbid leaves points alone whose buckets would have to be split.
	Forbid bool
	// WorkingScale is the scale to which cumulative exponential points are brought
	// before they are split, so that a falling scale does not change the split.
	WorkingScale int32
	// Streams is the state of cumulative streams; nil converts each point by itself.
	Streams *Streams
	// OnViolation is for points that cannot continue what was emitted of their stream.
	OnViolation Action
	// MaxRankError bounds the error of the cumulative share of delta points; those
	// with a larger one are left alone. For cumulative points the outcome would come
	// and go with their counts, so they are always converted. 0 is no bound.
	MaxRankError float64
	// OnInvalid is for points that contradict themselves.
	OnInvalid OnInvalid
}

// OnInvalid says what happens to invalid points.
type OnInvalid uint8

const (
	// PassInvalid lets them pass unchanged.
	PassInvalid OnInvalid = iota
	// DropInvalid drops them.
	DropInvalid
	// RepairInvalid makes the sum of the buckets the count if that is all that is wrong, and drops the others.
	RepairInvalid
)

// inspects reports whether the rule has no target.
func (r *Rule) inspects() bool { return r.Explicit == nil && r.Exponential == nil && r.Limit == nil }

// Explicit is a list of bounds by the metric's unit; the entry "" is for units
// without one of their own.
type Explicit struct {
	Bounds map[string][]float64
}

// In returns the bounds for a unit and the name under which they are listed.
func (e *Explicit) In(unit string) (bounds []float64, listed string) {
	if b, ok := e.Bounds[unit]; ok {
		return b, unit
	}
	return e.Bounds[""], ""
}

// Exponential bounds scale and size, per sign, and widens the zero bucket.
type Exponential struct {
	MaxScale      int32
	MaxSize       int
	ZeroThreshold float64
}

// Limit is a number of buckets. Their bounds are chosen among those present:
// by position, or by the counts of a delta point or of a stream's first point. The
// points of a cumulative stream without state are always limited by position.
type Limit struct {
	MaxBuckets int
	MinError   bool
	Pin        []float64
}
