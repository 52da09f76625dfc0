package convert

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// exponential is a loaded exponential point with its plans. It implements source. It reuses its memory for all points.
type exponential struct {
	planner
	expo.Histogram
	restated    bool  // normalizing changed the point
	sourceScale int32 // scale before it was lowered to the working scale

	last          planned // for the fields below; consecutive points mostly have the same values
	lastScale     int32
	lastThreshold float64
	lastSide      rebucket.ZeroSide

	pair exponentialPair
}

// begin prepares for the points of a metric.
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

// anySize is the maximum number of buckets of a point that will be converted.
const anySize = math.MaxInt32

// restate rewrites a valid point that keeps its layout, if normalizing changes it.
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

// maxStateBuckets bounds the state of a stream. A point with more buckets, which no SDK sends, is reduced to a lower
// scale.
const maxStateBuckets = 1024

// planOf returns the plan for a histogram's layout.
func (e *exponential) planOf(h *expo.Histogram) planned {
	zeroSide := zeroSideOf(h)
	if e.last.plan == nil || e.lastScale != h.Scale || e.lastThreshold != h.ZeroThreshold || e.lastSide != zeroSide {
		e.last = e.fromScale(h.Scale, h.ZeroThreshold, zeroSide)
		e.lastScale, e.lastThreshold, e.lastSide = h.Scale, h.ZeroThreshold, zeroSide
	}
	return e.last
}

// zeroSideOf returns the side of the zero bucket. A zero bucket without width always has the default side.
func zeroSideOf(h *expo.Histogram) rebucket.ZeroSide {
	if h.ZeroThreshold == 0 {
		return rebucket.ZeroPositive
	}
	return rebucket.ZeroSideOf(h.Negative)
}

// fit converts a delta point with shares that depend on its counts and range.
func (e *exponential) fit(p *plan, to []uint64) rebucket.Tally {
	return p.fromExponential.Fit(to, e.ZeroCount, e.Positive, e.Negative, rebucket.Range{Min: e.Min, Max: e.Max})
}

func (e *exponential) plan(*stream) planned { return e.planOf(&e.Histogram) }

func (e *exponential) apply(p *plan, to []uint64) rebucket.Tally {
	return applyExponential(p, to, &e.Histogram)
}

// restarted applies [expo.Restarted] at the scale of the source. Only if both points have the same source scale are the
// buckets of the last point known at that scale.
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

// align brings both points to the lower scale and to the larger zero threshold, raised to a bucket bound, as for merging.
// The zero side is that of this point. So after the first negative observation of a stream only the increase since the
// last point is placed on both sides of zero.
func (e *exponential) align(s *stream) aligned {
	now, before := &e.pair.now, &e.pair.before
	zeroSide := zeroSideOf(&e.Histogram)
	if s.exponential.Scale == e.Scale && s.exponential.ZeroThreshold == e.ZeroThreshold && zeroSideOf(s.exponential) == zeroSide {
		*now, *before = e.Histogram, *s.exponential
		return aligned{pair: &e.pair, plan: s.plan, sameLayout: true}
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
	fromCommon := rebucket.NewExponentialPlan(s.plan.bounds, now.Scale, now.ZeroThreshold, zeroSide, e.rule.Split)
	return aligned{pair: &e.pair, plan: &plan{target: s.plan.target, fromExponential: fromCommon}}
}

func (e *exponential) keep(s *stream) {
	if s.exponential == nil {
		s.exponential = new(expo.Histogram)
	}
	from, to := &e.Histogram, s.exponential
	to.Scale, to.ZeroThreshold, to.ZeroCount = from.Scale, from.ZeroThreshold, from.ZeroCount
	s.sourceScale = e.sourceScale
	copyBuckets(&to.Positive, from.Positive.Trimmed())
	copyBuckets(&to.Negative, from.Negative.Trimmed())
}

// exponentialPair has two points in one exponential layout.
type exponentialPair struct{ now, before expo.Histogram }

func (p *exponentialPair) decreased() bool {
	return p.now.ZeroCount < p.before.ZeroCount ||
		!covers(&p.now.Positive, &p.before.Positive) || !covers(&p.now.Negative, &p.before.Negative)
}

func (p *exponentialPair) apply(plan *plan, now, before []uint64) {
	applyExponential(plan, now, &p.now)
	applyExponential(plan, before, &p.before)
}

func applyExponential(p *plan, to []uint64, h *expo.Histogram) rebucket.Tally {
	return p.fromExponential.Apply(to, h.ZeroCount, h.Positive, h.Negative)
}

func clone(h *expo.Histogram) expo.Histogram {
	c := *h
	c.Positive.Counts, c.Negative.Counts = slices.Clone(h.Positive.Counts), slices.Clone(h.Negative.Counts)
	return c
}

func copyBuckets(to *expo.Buckets, from expo.Buckets) {
	to.Offset, to.Counts = from.Offset, append(to.Counts[:0], from.Counts...)
}

// covers reports whether every bucket of now has at least the count of before.
func covers(now, before *expo.Buckets) bool {
	shift := int64(before.Offset) - int64(now.Offset)
	for i, n := range before.Counts {
		if at := shift + int64(i); n != 0 && (uint64(at) >= uint64(len(now.Counts)) || now.Counts[at] < n) {
			return false
		}
	}
	return true
}
