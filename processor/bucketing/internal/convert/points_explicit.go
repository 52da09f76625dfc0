package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// inspectExplicit loads a point that no target is for.
func inspectExplicit(j *job, p pmetric.HistogramDataPoint) verdict {
	if err := repaired(j, p, &j.explicit.Count, j.explicit.load(p)); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	return verdict{reason: Unmatched}
}

// convertExplicit converts a point to the bounds of its plan: those of the target, or those between the
// buckets of an exponential layout.
func convertExplicit(j *job, p pmetric.HistogramDataPoint) verdict {
	e := &j.explicit
	switch err := repaired(j, p, &e.Count, e.load(p)); {
	case err != nil:
		return verdict{reason: Invalid, err: err}
	case len(e.Bounds) == 0:
		return verdict{reason: NoBuckets}
	case j.stateful() && e.fits():
		return accumulate(j, p, e)
	case e.choosing() && !j.steady:
		to := e.choose()
		rebucket.Merge(j.out.begin(&to, e.Count), to.bounds, e.Bounds, e.Counts)
		return j.weigh(rebucket.Tally{}, e.Count)
	}
	planned := e.byLayout()
	if planned.plan == nil {
		return verdict{reason: planned.reason}
	}
	plan := planned.plan
	if j.watchExplicit(p, plan) {
		return verdict{drop: true}
	}
	counts := j.out.begin(&plan.target, e.Count)
	// A delta point stands for itself, so that it is split by what it tells: its minimum and maximum and, for
	// PCHIP, its counts. The points of a cumulative stream are all split by the same shares, which depend on
	// the layout alone: otherwise what one of them adds to a bucket could be less than what the one before did.
	if j.steady || plan.merges {
		return j.weigh(e.apply(plan, counts), e.Count)
	}
	t := histpoint.TotalsOf(p)
	if plan.exponential() && plan.layout.Negative == 0 && e.Counts[0] > 0 && t.HasMin && t.Finite() {
		j.out.zeroReach = -t.Min
	}
	return j.weigh(e.fit(plan, counts, rebucket.Range{Min: t.Min, Max: t.Max}), e.Count)
}

// storeExplicit writes what was converted.
func storeExplicit(j *job, to pmetric.HistogramDataPoint) { j.out.storeExplicit(to) }

// storeLayout writes what was converted to the bounds of an exponential layout.
func storeLayout(j *job, to pmetric.ExponentialHistogramDataPoint) { j.out.storeExponential(to) }
