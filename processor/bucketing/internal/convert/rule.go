package convert

import "github.com/otelcol-custom/otelcol-custom/internal/rebucket"

// Rule describes the conversion of the metrics that it matches. At most one of the targets Explicit, Exponential and Limit
// is set. Limit does not apply to gauges. Without a target histograms are checked and keep their layout. A rule is
// immutable and safe for concurrent use.
type Rule struct {
	// Index is the position of the rule in the configuration. It is part of the plans' keys.
	Index int

	Explicit    *Explicit
	Exponential *Exponential
	Limit       *Limit

	Split rebucket.Split
	// Forbid leaves points unconverted if their buckets would have to be split.
	Forbid bool
	// WorkingScale is the scale to which cumulative exponential points are reduced before they are split. As long as the
	// source's scale is not lower, the split does not change.
	WorkingScale int32
	// Streams is the state of cumulative streams. If it is nil, each point is converted independently.
	Streams *Streams
	// OnViolation is the treatment of points that cannot continue the emitted stream.
	OnViolation Action
	// MaxRankError bounds the rank error of delta points. A point with a larger one is not converted. Cumulative points
	// are always converted, because their rank error changes with their counts. 0 means unbounded.
	MaxRankError float64
	// OnInvalid is the treatment of invalid points.
	OnInvalid OnInvalid
}

// OnInvalid is the treatment of invalid points.
type OnInvalid uint8

const (
	// PassInvalid passes them unchanged.
	PassInvalid OnInvalid = iota
	// DropInvalid drops them.
	DropInvalid
	// RepairInvalid sets the count of a point to the sum of its buckets if nothing else is wrong, and drops other invalid
	// points.
	RepairInvalid
)

// hasNoTarget reports whether the rule only checks points.
func (r *Rule) hasNoTarget() bool { return r.Explicit == nil && r.Exponential == nil && r.Limit == nil }

// Explicit has explicit target bounds.
type Explicit struct {
	// Bounds has lists of bounds by the metric's unit. The list of "" is for all other units.
	Bounds map[string][]float64
}

// In returns the bounds for a unit and the name under which they are listed.
func (e *Explicit) In(unit string) (bounds []float64, listed string) {
	if b, ok := e.Bounds[unit]; ok {
		return b, unit
	}
	return e.Bounds[""], ""
}

// Exponential bounds an exponential target layout.
type Exponential struct {
	MaxScale      int32
	MaxSize       int // buckets per sign
	ZeroThreshold float64
}

// Limit bounds the number of buckets.
type Limit struct {
	MaxBuckets int
	// MinError chooses the bounds to keep by the counts of a delta point or of the first point of a stream. Otherwise,
	// and for cumulative streams without state, their positions decide.
	MinError bool
	// Pin has bounds that are always kept.
	Pin []float64
}
