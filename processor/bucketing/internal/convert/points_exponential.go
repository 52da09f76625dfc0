package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// loadExponential loads a point and repairs it if the rule says so.
func loadExponential(j *job, p pmetric.ExponentialHistogramDataPoint, maxBuckets int) error {
	e := &j.exponential
	return repair(j, p, &e.Count, e.load(p, maxBuckets))
}

// inspectExponential checks a point of a rule without a target.
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
	if j.isCumulative {
		e.ToScale(j.rule.WorkingScale)
	}
	if j.stateful() {
		e.ToTotal(maxStateBuckets)
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
	if j.isCumulative || plan.merges { // see convertExplicit
		return j.checkTally(e.apply(plan, counts), e.Count)
	}
	return j.checkTally(e.fit(plan, counts), e.Count)
}

// reduceExponential lowers the resolution of a point that remains exponential.
func reduceExponential(j *job, p pmetric.ExponentialHistogramDataPoint) verdict {
	if err := loadExponential(j, p, anySize); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	j.exponential.reduce()
	j.maxRankError = max(j.maxRankError, 0)
	return verdict{ok: true}
}

// storeReduced writes the reduced point.
func storeReduced(j *job, to pmetric.ExponentialHistogramDataPoint) {
	histpoint.StoreExponential(to, &j.exponential.Histogram)
}
