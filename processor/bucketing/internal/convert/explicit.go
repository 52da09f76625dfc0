package convert

import (
	"slices"
	"sort"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// explicit is an explicit point as it was loaded, and finds its plans. It reuses its space.
type explicit struct {
	planner
	histpoint.Explicit

	last planned // of the bounds; points of a metric mostly have the same

	chooser rebucket.Chooser
	chosen  []float64

	met [2][]uint64 // see meet
}

// begin turns to another metric.
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

// restate rewrites a valid point that keeps its layout if its form is not bounded: with +Inf among its
// bounds, which is implied, or with too many of them.
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

// fits reports whether the point is small enough to be kept as a stream's last.
func (e *explicit) fits() bool { return len(e.Bounds) <= maxCachedBounds }

// choosing reports whether the bounds that stay are chosen by counts. Larger layouts are limited by
// position: choosing takes longer the more bounds there are, and those are a sender's to name.
func (e *explicit) choosing() bool {
	l := e.rule.Limit
	return l != nil && l.MinError && e.fits()
}

// choose returns the target that the point's counts choose. It is valid until the next call.
func (e *explicit) choose() target {
	l := e.rule.Limit
	e.chosen = e.chooser.Choose(e.chosen, e.Bounds, e.Counts, l.MaxBuckets, l.Pin)
	return target{bounds: e.chosen}
}

// byLayout returns the plan that the bounds alone decide.
func (e *explicit) byLayout() planned {
	if e.last.plan == nil {
		e.last = e.fromBounds(e.Bounds)
	}
	return e.last
}

// fit converts a delta point by its own counts and range.
func (e *explicit) fit(p *plan, to []uint64, extent rebucket.Range) rebucket.Tally {
	return p.fromExplicit.Fit(to, e.Counts, extent)
}

// The methods below are those of a source.

func (e *explicit) count() uint64 { return e.Count }

func (e *explicit) plan(s *stream) planned {
	switch {
	case s != nil && e.rule.Explicit == nil && slices.Equal(s.bounds, e.Bounds):
		return planned{plan: s.plan}
	case s != nil && e.rule.Explicit == nil:
		return e.toTarget(&s.plan.target, e.Bounds)
	case e.choosing():
		return e.toTarget(&target{bounds: slices.Clone(e.choose().bounds)}, e.Bounds)
	default:
		return e.byLayout()
	}
}

func (e *explicit) apply(p *plan, to []uint64) rebucket.Tally {
	return p.fromExplicit.Apply(to, e.Counts)
}

func (e *explicit) applyKept(s *stream, to []uint64) { s.plan.fromExplicit.Apply(to, s.counts) }

// restarted is known of explicit points by their counts alone.
func (e *explicit) restarted(*stream) (Violation, bool) { return 0, false }

// meet compares at the bounds that both points have.
func (e *explicit) meet(s *stream) (p *plan, same bool) {
	if slices.Equal(s.bounds, e.Bounds) {
		e.met = [2][]uint64{e.Counts, s.counts}
		return s.plan, true
	}
	shared := intersection(s.bounds, e.Bounds)
	now, before := make([]uint64, len(shared)+1), make([]uint64, len(shared)+1)
	rebucket.Merge(now, shared, e.Bounds, e.Counts)
	rebucket.Merge(before, shared, s.bounds, s.counts)
	e.met = [2][]uint64{now, before}
	return &plan{target: s.plan.target, fromExplicit: rebucket.NewPlan(s.plan.bounds, shared, e.rule.Split)}, false
}

func (e *explicit) covers() bool {
	for i, n := range e.met[0] {
		if n < e.met[1][i] {
			return false
		}
	}
	return true
}

func (e *explicit) applyMet(p *plan, now, before []uint64) {
	p.fromExplicit.Apply(now, e.met[0])
	p.fromExplicit.Apply(before, e.met[1])
}

func (e *explicit) keep(s *stream) {
	if !slices.Equal(s.bounds, e.Bounds) {
		s.bounds = slices.Clone(e.Bounds)
	}
	s.counts = append(s.counts[:0], e.Counts...)
}

// intersection returns the elements of two increasing lists that both have.
func intersection(a, b []float64) []float64 {
	var shared []float64
	for _, v := range a {
		if i := sort.SearchFloat64s(b, v); i < len(b) && b[i] == v {
			shared = append(shared, v)
		}
	}
	return shared
}
