package convert

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// exponential is an exponential point as it was loaded, and finds its plans. It reuses its space.
type exponential struct {
	planner
	expo.Histogram
	restated    bool  // normalizing changed it
	sourceScale int32 // before it was lowered for a cumulative stream

	last      planned // of the fields below; points of a metric mostly have the same
	lastScale int32
	lastZero  float64
	lastSide  rebucket.ZeroSide

	met [2]expo.Histogram // see meet
}

// begin turns to another metric.
func (e *exponential) begin(rule *Rule, unit string) {
	e.planner.begin(rule, unit)
	e.last = planned{}
}

// load loads a point and normalizes it; see [expo.Histogram.Normalize].
func (e *exponential) load(p pmetric.ExponentialHistogramDataPoint, maxBuckets int) error {
	err := histpoint.LoadExponential(&e.Histogram, p)
	e.restated = e.Normalize(maxBuckets)
	e.sourceScale = e.Scale
	return err
}

// anySize leaves the number of buckets of a source alone: each is converted.
const anySize = math.MaxInt32

// restate rewrites a valid point that keeps its layout if its form is not bounded.
func (e *exponential) restate(p pmetric.ExponentialHistogramDataPoint) {
	if err := e.load(p, maxPassedBuckets); e.restated && err == nil {
		histpoint.StoreExponential(p, &e.Histogram)
	}
}

// reduce lowers scale and size, and widens the zero bucket, to the rule's exponential target or limit.
func (e *exponential) reduce() {
	if to := e.rule.Exponential; to != nil {
		e.ToScale(to.MaxScale)
		e.RaiseZero(to.ZeroThreshold)
		e.ToSize(to.MaxSize)
		return
	}
	e.ToTotal(e.rule.Limit.MaxBuckets - 1)
}

// maxKeptBuckets bounds a stream's state: a point with more buckets, which no SDK sends,
// comes to a lower scale.
const maxKeptBuckets = 1024

// planOf returns the plan for a histogram's layout.
func (e *exponential) planOf(h *expo.Histogram) planned {
	zero := zeroSideOf(h)
	if e.last.plan == nil || e.lastScale != h.Scale || e.lastZero != h.ZeroThreshold || e.lastSide != zero {
		e.last = e.fromScale(h.Scale, h.ZeroThreshold, zero)
		e.lastScale, e.lastZero, e.lastSide = h.Scale, h.ZeroThreshold, zero
	}
	return e.last
}

// zeroSideOf is the side of the zero bucket; one without width has no other than the default.
func zeroSideOf(h *expo.Histogram) rebucket.ZeroSide {
	if h.ZeroThreshold == 0 {
		return rebucket.ZeroPositive
	}
	return rebucket.ZeroSideOf(h.Negative)
}

// fit converts a delta point by its own counts and range.
func (e *exponential) fit(p *plan, to []uint64) rebucket.Tally {
	return p.fromExponential.Fit(to, e.ZeroCount, e.Positive, e.Negative, rebucket.Range{Min: e.Min, Max: e.Max})
}

// The methods below are those of a source.

func (e *exponential) count() uint64 { return e.Count }

func (e *exponential) plan(*stream) planned { return e.planOf(&e.Histogram) }

func (e *exponential) apply(p *plan, to []uint64) rebucket.Tally {
	return applyExponential(p, to, &e.Histogram)
}

func (e *exponential) applyKept(s *stream, to []uint64) {
	applyExponential(s.plan, to, s.exponential)
}

// restarted follows [expo.Restarted]. Whether a threshold rose into a bucket with counts shows only at the
// scale of the source.
func (e *exponential) restarted(s *stream) (Violation, bool) {
	before, now := *s.exponential, e.Histogram
	if before.Scale != s.sourceScale {
		before.Positive, before.Negative = expo.Buckets{}, expo.Buckets{}
	}
	before.Scale, now.Scale = s.sourceScale, e.sourceScale
	switch {
	case !expo.Restarted(&before, &now):
		return 0, false
	case now.Scale > before.Scale:
		return ScaleChanged, true
	default:
		return ZeroThresholdChanged, true
	}
}

// meet follows the rule for merging: the lower scale, and the larger zero threshold raised to a bucket
// bound of it. The zero bucket lies where this point has it, so that a stream's first negative observation
// places only the increase since the last point on both sides.
func (e *exponential) meet(s *stream) (p *plan, same bool) {
	now, before := &e.met[0], &e.met[1]
	zero := zeroSideOf(&e.Histogram)
	if s.exponential.Scale == e.Scale && s.exponential.ZeroThreshold == e.ZeroThreshold && zeroSideOf(s.exponential) == zero {
		*now, *before = e.Histogram, *s.exponential
		return s.plan, true
	}
	*now, *before = clone(&e.Histogram), clone(s.exponential)
	scale := min(now.Scale, before.Scale)
	now.ToScale(scale)
	before.ToScale(scale)
	if now.ZeroThreshold != before.ZeroThreshold {
		bound := expo.RaiseToBound(scale, max(now.ZeroThreshold, before.ZeroThreshold))
		now.RaiseZero(bound)
		before.RaiseZero(bound)
	}
	met := rebucket.NewExponentialPlan(s.plan.bounds, now.Scale, now.ZeroThreshold, zero, e.rule.Split)
	return &plan{target: s.plan.target, fromExponential: met}, false
}

func (e *exponential) covers() bool {
	now, before := &e.met[0], &e.met[1]
	return now.ZeroCount >= before.ZeroCount && covers(&now.Positive, &before.Positive) && covers(&now.Negative, &before.Negative)
}

func (e *exponential) applyMet(p *plan, now, before []uint64) {
	applyExponential(p, now, &e.met[0])
	applyExponential(p, before, &e.met[1])
}

func (e *exponential) keep(s *stream) {
	if s.exponential == nil {
		s.exponential = new(expo.Histogram)
	}
	from, to := &e.Histogram, s.exponential
	to.Scale, to.ZeroThreshold, to.ZeroCount = from.Scale, from.ZeroThreshold, from.ZeroCount
	s.sourceScale = e.sourceScale
	keepBuckets(&to.Positive, from.Positive.Trimmed())
	keepBuckets(&to.Negative, from.Negative.Trimmed())
}

func applyExponential(p *plan, to []uint64, h *expo.Histogram) rebucket.Tally {
	return p.fromExponential.Apply(to, h.ZeroCount, h.Positive, h.Negative)
}

func clone(h *expo.Histogram) expo.Histogram {
	c := *h
	c.Positive.Counts, c.Negative.Counts = slices.Clone(h.Positive.Counts), slices.Clone(h.Negative.Counts)
	return c
}

func keepBuckets(to *expo.Buckets, from expo.Buckets) {
	to.Offset, to.Counts = from.Offset, append(to.Counts[:0], from.Counts...)
}

// covers reports whether every bucket of before has at least its count in now.
func covers(now, before *expo.Buckets) bool {
	shift := int64(before.Offset) - int64(now.Offset)
	for i, n := range before.Counts {
		if at := shift + int64(i); n != 0 && (uint64(at) >= uint64(len(now.Counts)) || now.Counts[at] < n) {
			return false
		}
	}
	return true
}
