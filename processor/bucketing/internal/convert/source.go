package convert

import (
	"slices"
	"sort"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// source is the point that a job has loaded, of either kind, beside the one before of its stream.
type source interface {
	count() uint64
	// plan converts from the point's layout to the target: the stream's, if there is one. Where there
	// is none the point's plan decides the target, for the stream's life, whatever it was chosen by.
	plan(s *stream) *plan
	apply(p *plan, to []uint64) rebucket.Tally
	// applyKept converts the stream's last point.
	applyKept(s *stream, to []uint64)
	// meet brings copies of this point and the last to the finest layout that both have, and returns
	// the plan from there. Same: that is the layout of both.
	meet(s *stream) (p *plan, same bool)
	// covers tells whether, there, no bucket has decreased.
	covers() bool
	// step returns what was emitted last and the increase since, converted from there.
	step(s *stream, met *plan) []uint64
	// keep makes this point the stream's last.
	keep(s *stream)
}

// next adds to what was emitted the difference of two conversions by one plan.
func next(s *stream, emitted, now, before []uint64) []uint64 {
	for i := range emitted {
		emitted[i] += now[i] - before[i]
	}
	for i, n := range s.offset {
		emitted[i] += n
	}
	return emitted
}

// explicitSource is a job's explicit point.
type explicitSource struct{ *job }

func (e explicitSource) count() uint64 { return e.explicit.Count }

func (e explicitSource) plan(s *stream) *plan {
	switch {
	case s == nil || e.rule.Explicit != nil:
		return e.planExplicit()
	case slices.Equal(s.bounds, e.explicit.Bounds):
		return s.plan
	default:
		return e.plans.between(&e.scratch, e.rule, s.plan, e.explicit.Bounds)
	}
}

func (e explicitSource) apply(p *plan, to []uint64) rebucket.Tally {
	return p.fromExplicit.Apply(to, e.explicit.Counts)
}

func (e explicitSource) applyKept(s *stream, to []uint64) { s.plan.fromExplicit.Apply(to, s.counts) }

func (e explicitSource) meet(s *stream) (p *plan, same bool) {
	if slices.Equal(s.bounds, e.explicit.Bounds) {
		e.metCounts = [2][]uint64{e.explicit.Counts, s.counts}
		return s.plan, true
	}
	shared := intersection(s.bounds, e.explicit.Bounds)
	now, before := make([]uint64, len(shared)+1), make([]uint64, len(shared)+1)
	rebucket.Explicit(shared, e.explicit.Bounds, e.explicit.Counts, now, e.rule.Split)
	rebucket.Explicit(shared, s.bounds, s.counts, before, e.rule.Split)
	e.metCounts = [2][]uint64{now, before}
	return &plan{fromExplicit: rebucket.NewPlan(s.plan.bounds, shared, e.rule.Split)}, false
}

func (e explicitSource) covers() bool {
	for i, n := range e.metCounts[0] {
		if n < e.metCounts[1][i] {
			return false
		}
	}
	return true
}

func (e explicitSource) step(s *stream, met *plan) []uint64 {
	n := len(s.plan.bounds) + 1
	emitted, now, before := make([]uint64, n), make([]uint64, n), make([]uint64, n)
	e.applyKept(s, emitted)
	met.fromExplicit.Apply(now, e.metCounts[0])
	met.fromExplicit.Apply(before, e.metCounts[1])
	return next(s, emitted, now, before)
}

func (e explicitSource) keep(s *stream) {
	if !slices.Equal(s.bounds, e.explicit.Bounds) {
		s.bounds = slices.Clone(e.explicit.Bounds)
	}
	s.counts = append(s.counts[:0], e.explicit.Counts...)
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

// exponentialSource is a job's exponential point.
type exponentialSource struct{ *job }

func (e exponentialSource) count() uint64 { return e.exponential.Count }

func (e exponentialSource) plan(*stream) *plan { return e.planExponential(&e.exponential) }

func (e exponentialSource) apply(p *plan, to []uint64) rebucket.Tally {
	return applyExponential(p, to, &e.exponential)
}

func (e exponentialSource) applyKept(s *stream, to []uint64) {
	applyExponential(s.plan, to, s.exponential)
}

// meet follows the rule for merging: the lower scale, and the larger zero threshold raised to a bucket
// bound of it.
func (e exponentialSource) meet(s *stream) (p *plan, same bool) {
	now, before := &e.met[0], &e.met[1]
	if s.exponential.Scale == e.exponential.Scale && s.exponential.ZeroThreshold == e.exponential.ZeroThreshold {
		*now, *before = e.exponential, *s.exponential
		return s.plan, true
	}
	*now, *before = clone(&e.exponential), clone(s.exponential)
	scale := min(now.Scale, before.Scale)
	now.ToScale(scale)
	before.ToScale(scale)
	if now.ZeroThreshold != before.ZeroThreshold {
		bound := expo.RaiseToBound(scale, max(now.ZeroThreshold, before.ZeroThreshold))
		now.RaiseZero(bound)
		before.RaiseZero(bound)
	}
	return e.planExponential(now), false
}

func (e exponentialSource) covers() bool {
	now, before := &e.met[0], &e.met[1]
	return now.ZeroCount >= before.ZeroCount && covers(&now.Positive, &before.Positive) && covers(&now.Negative, &before.Negative)
}

func (e exponentialSource) step(s *stream, met *plan) []uint64 {
	n := len(s.plan.bounds) + 1
	emitted, now, before := make([]uint64, n), make([]uint64, n), make([]uint64, n)
	e.applyKept(s, emitted)
	applyExponential(met, now, &e.met[0])
	applyExponential(met, before, &e.met[1])
	return next(s, emitted, now, before)
}

func (e exponentialSource) keep(s *stream) {
	if s.exponential == nil {
		s.exponential = new(expo.Histogram)
	}
	from, to := &e.exponential, s.exponential
	to.Scale, to.ZeroThreshold, to.ZeroCount = from.Scale, from.ZeroThreshold, from.ZeroCount
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

// covers tells whether every bucket of before has at least its count in now.
func covers(now, before *expo.Buckets) bool {
	shift := int64(before.Offset) - int64(now.Offset)
	for i, n := range before.Counts {
		if at := shift + int64(i); n != 0 && (uint64(at) >= uint64(len(now.Counts)) || now.Counts[at] < n) {
			return false
		}
	}
	return true
}
