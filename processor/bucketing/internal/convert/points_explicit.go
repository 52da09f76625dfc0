package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// inspectExplicit checks a point of a rule without a target.
func inspectExplicit(j *job, p pmetric.HistogramDataPoint) verdict {
	if err := repair(j, p, &j.explicit.Count, j.explicit.load(p)); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	return verdict{reason: Unmatched}
}

// convertExplicit converts a point to the bounds of its plan. They are the bounds of an explicit target, or those between
// the buckets of an exponential one.
func convertExplicit(j *job, p pmetric.HistogramDataPoint) verdict {
	e := &j.explicit
	switch err := repair(j, p, &e.Count, e.load(p)); {
	case err != nil:
		return verdict{reason: Invalid, err: err}
	case len(e.Bounds) == 0:
		return verdict{reason: NoBuckets}
	case j.stateful() && e.fitsState():
		return accumulate(j, p, e)
	case e.choosesByCounts() && !j.isCumulative:
		to := e.choose()
		rebucket.Merge(j.out.begin(&to, e.Count), to.bounds, e.Bounds, e.Counts)
		return j.checkTally(rebucket.Tally{}, e.Count)
	}
	planned := e.planByLayout()
	if planned.plan == nil {
		return verdict{reason: planned.reason}
	}
	plan := planned.plan
	if j.watchExplicit(p, plan) {
		return verdict{drop: true}
	}
	counts := j.out.begin(&plan.target, e.Count)
	// Delta points are independent, so each is split by its own minimum, maximum and, for PCHIP, counts. All points of a
	// cumulative stream are split by the same shares, which depend on the layout alone. Otherwise a bucket could decrease
	// from one point to the next.
	if j.isCumulative || plan.merges {
		return j.checkTally(e.apply(plan, counts), e.Count)
	}
	t := histpoint.TotalsOf(p)
	if plan.exponential() && plan.layout.Negative == 0 && e.Counts[0] > 0 && t.HasMin && t.Finite() {
		j.out.minZeroThreshold = -t.Min
	}
	return j.checkTally(e.fit(plan, counts, rebucket.Range{Min: t.Min, Max: t.Max}), e.Count)
}

// storeExplicit writes the converted point in its explicit layout.
func storeExplicit(j *job, to pmetric.HistogramDataPoint) { j.out.storeExplicit(to) }

// storeLayout writes the converted point in its exponential layout.
func storeLayout(j *job, to pmetric.ExponentialHistogramDataPoint) { j.out.storeExponential(to) }
