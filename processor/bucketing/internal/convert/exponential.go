package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// rebucketExponential converts an exponential point to the target's bounds.
func rebucketExponential(j *job, p pmetric.ExponentialHistogramDataPoint) verdict {
	h := &j.exponential
	if err := histpoint.LoadExponential(h, p); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	if j.steady {
		h.ToScale(j.rule.WorkingScale)
	}
	h.ToScale(expo.MaxScale)
	last := &j.lastExponential
	if last.plan == nil || last.scale != h.Scale || last.zeroThreshold != h.ZeroThreshold {
		*last = exponentialPlan{j.plans.exponential(&j.scratch, j.rule, j.unit, h.Scale, h.ZeroThreshold), h.Scale, h.ZeroThreshold}
	}
	plan := last.plan
	if plan.refused {
		return verdict{reason: plan.reason}
	}
	j.watchExponential(p, h, plan)
	j.target.Bounds, j.target.Count = plan.bounds, h.Count
	tally := plan.fromExponential.Apply(j.buckets(plan.fromExponential.Buckets()), h.ZeroCount, h.Positive, h.Negative)
	return j.weigh(tally)
}

// exponentialPlan is a plan and what it was found for.
type exponentialPlan struct {
	plan          *plan
	scale         int32
	zeroThreshold float64
}

// reduce lowers scale and size, and widens the zero bucket, of an exponential point.
func reduce(j *job, p pmetric.ExponentialHistogramDataPoint) verdict {
	h := &j.exponential
	if err := histpoint.LoadExponential(h, p); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	if e := j.rule.Exponential; e != nil {
		h.ToScale(e.MaxScale)
		h.RaiseZero(e.ZeroThreshold)
		h.ToSize(e.MaxSize)
	} else {
		h.ToScale(expo.MaxScale)
		h.ToTotal(j.rule.Limit.MaxBuckets - 1)
	}
	j.worst = max(j.worst, 0)
	return verdict{ok: true}
}

// storeReduced writes what was reduced.
func storeReduced(j *job, to pmetric.ExponentialHistogramDataPoint) {
	histpoint.StoreExponential(to, &j.exponential)
}
