package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

func loadExponential(j *job, p pmetric.ExponentialHistogramDataPoint, maxBuckets int) error {
	e := &j.exponential
	return repaired(j, p, &e.Count, e.load(p, maxBuckets))
}

// inspectExponential loads a point that no target is for.
func inspectExponential(j *job, p pmetric.ExponentialHistogramDataPoint) verdict {
	if err := loadExponential(j, p, maxPassedBuckets); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	return verdict{reason: Unmatched}
}

// convertExponential converts a point to the target's bounds.
func convertExponential(j *job, p pmetric.ExponentialHistogramDataPoint) verdict {
	e := &j.exponential
	if err := loadExponential(j, p, anySize); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	if j.steady {
		e.ToScale(j.rule.WorkingScale)
	}
	if j.stateful() {
		e.ToTotal(maxKeptBuckets)
		return accumulate(j, p, e)
	}
	planned := e.planOf(&e.Histogram)
	if planned.plan == nil {
		return verdict{reason: planned.reason}
	}
	plan := planned.plan
	if j.watchExponential(p, &e.Histogram, plan) {
		return verdict{drop: true}
	}
	counts := j.out.begin(&plan.target, e.Count)
	if j.steady || plan.merges { // see convertExplicit
		return j.weigh(e.apply(plan, counts), e.Count)
	}
	return j.weigh(e.fit(plan, counts), e.Count)
}

// reduceExponential lowers the resolution of a point that stays exponential.
func reduceExponential(j *job, p pmetric.ExponentialHistogramDataPoint) verdict {
	if err := loadExponential(j, p, anySize); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	j.exponential.reduce()
	j.worst = max(j.worst, 0)
	return verdict{ok: true}
}

// storeReduced writes what was reduced.
func storeReduced(j *job, to pmetric.ExponentialHistogramDataPoint) {
	histpoint.StoreExponential(to, &j.exponential.Histogram)
}
