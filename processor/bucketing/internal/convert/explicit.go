package convert

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// explicit is a loaded explicit point with its plans. It implements source. It reuses its memory for all points.
type explicit struct {
	planner
	histpoint.Explicit

	last planned // for Bounds; consecutive points mostly have the same bounds

	chooser rebucket.Chooser
	chosen  []float64

	pair explicitPair
}

// begin prepares for the points of a metric.
func (e *explicit) begin(rule *Rule, unit string) {
	e.planner.begin(rule, unit)
	e.last = planned{}
}

func (e *explicit) load(p pmetric.HistogramDataPoint) error {
	same, err := histpoint.LoadExplicit(&e.Explicit, p)
	if !same || err != nil {
		e.last = planned{}
	}
	return err
}

// restate rewrites a valid point that keeps its layout, if it lists the bound +Inf or has too many buckets.
func (e *explicit) restate(p pmetric.HistogramDataPoint) {
	if len(e.Counts) > maxPassedBuckets {
		to := histpoint.Explicit{Bounds: rebucket.Subset(e.Bounds, maxPassedBuckets, nil), Count: e.Count}
		to.Counts = make([]uint64, len(to.Bounds)+1)
		rebucket.Merge(to.Counts, to.Bounds, e.Bounds, e.Counts)
		histpoint.StoreExplicit(p, &to)
		return
	}
	if e.Restated {
		histpoint.StoreExplicit(p, &e.Explicit)
	}
}

// fitsState reports whether the point is small enough to be the state of a stream.
func (e *explicit) fitsState() bool { return len(e.Bounds) <= maxCachedBounds }

// choosesByCounts reports whether the point's counts decide which bounds are kept. In larger layouts their positions
// decide: the time to choose grows with the number of bounds, which a sender controls.
func (e *explicit) choosesByCounts() bool {
	l := e.rule.Limit
	return l != nil && l.MinError && e.fitsState()
}

// choose returns the target with the bounds that the point's counts choose. It is valid until the next call.
func (e *explicit) choose() target {
	l := e.rule.Limit
	e.chosen = e.chooser.Choose(e.chosen, e.Bounds, e.Counts, l.MaxBuckets, l.Pin)
	return target{bounds: e.chosen}
}

// planByLayout returns the plan that depends on the bounds alone.
func (e *explicit) planByLayout() planned {
	if e.last.plan == nil {
		e.last = e.fromBounds(e.Bounds)
	}
	return e.last
}

// fit converts a delta point with shares that depend on its counts and range.
func (e *explicit) fit(p *plan, to []uint64, extent rebucket.Range) rebucket.Tally {
	return p.fromExplicit.Fit(to, e.Counts, extent)
}

func (e *explicit) plan(s *stream) planned {
	switch {
	case s != nil && e.rule.Explicit == nil && slices.Equal(s.bounds, e.Bounds):
		return planned{plan: s.plan}
	case s != nil && e.rule.Explicit == nil:
		return e.toTarget(&s.plan.target, e.Bounds)
	case e.choosesByCounts():
		return e.toTarget(&target{bounds: slices.Clone(e.choose().bounds)}, e.Bounds)
	default:
		return e.planByLayout()
	}
}

func (e *explicit) apply(p *plan, to []uint64) rebucket.Tally {
	return p.fromExplicit.Apply(to, e.Counts)
}

// restarted is always false: in explicit points only a lower count shows a restart.
func (e *explicit) restarted(*stream) (Violation, bool) { return 0, false }

// align merges both points to their shared bounds.
func (e *explicit) align(s *stream) aligned {
	if slices.Equal(s.bounds, e.Bounds) {
		e.pair = explicitPair{now: e.Counts, before: s.counts}
		return aligned{pair: &e.pair, plan: s.plan, sameLayout: true}
	}
	shared := rebucket.Shared(s.bounds, e.Bounds)
	e.pair = explicitPair{now: make([]uint64, len(shared)+1), before: make([]uint64, len(shared)+1)}
	rebucket.Merge(e.pair.now, shared, e.Bounds, e.Counts)
	rebucket.Merge(e.pair.before, shared, s.bounds, s.counts)
	p := &plan{target: s.plan.target, fromExplicit: rebucket.NewPlan(s.plan.bounds, shared, e.rule.Split)}
	return aligned{pair: &e.pair, plan: p}
}

func (e *explicit) keep(s *stream) {
	if !slices.Equal(s.bounds, e.Bounds) {
		s.bounds = slices.Clone(e.Bounds)
	}
	s.counts = append(s.counts[:0], e.Counts...)
}

// explicitPair has the counts of two points in one explicit layout.
type explicitPair struct{ now, before []uint64 }

func (p *explicitPair) decreased() bool {
	for i, n := range p.now {
		if n < p.before[i] {
			return true
		}
	}
	return false
}

func (p *explicitPair) apply(plan *plan, now, before []uint64) {
	plan.fromExplicit.Apply(now, p.now)
	plan.fromExplicit.Apply(before, p.before)
}
