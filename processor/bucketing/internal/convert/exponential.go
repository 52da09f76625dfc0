package convert

import (
	"math"

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
	h.Normalize(maxSourceBuckets)
	if j.steady {
		h.ToScale(j.rule.WorkingScale)
	}
	if j.stateful() {
		h.ToTotal(maxKeptBuckets)
		return accumulate(j, p, exponentialSource{j})
	}
	plan := j.planExponential(h)
	if plan.refused {
		return verdict{reason: plan.reason}
	}
	if j.watchExponential(p, h, plan) {
		return verdict{drop: true}
	}
	j.setTarget(plan, h.Count)
	return j.weigh(j.fitExponential(plan), h.Count)
}

// maxSourceBuckets leaves the number of buckets of a source alone: each is converted.
const maxSourceBuckets = math.MaxInt32

// maxKeptBuckets bounds what a stream's state takes: a point with more buckets, which no SDK sends,
// comes to a lower scale.
const maxKeptBuckets = 1024

// planExponential finds the plan for a histogram's layout.
func (j *job) planExponential(h *expo.Histogram) *plan {
	last := &j.lastExponential
	if last.plan == nil || last.scale != h.Scale || last.zeroThreshold != h.ZeroThreshold {
		*last = exponentialPlan{j.plans.exponential(&j.scratch, j.rule, j.unit, h.Scale, h.ZeroThreshold), h.Scale, h.ZeroThreshold}
	}
	return last.plan
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
	h.Normalize(maxSourceBuckets)
	if e := j.rule.Exponential; e != nil {
		h.ToScale(e.MaxScale)
		h.RaiseZero(e.ZeroThreshold)
		h.ToSize(e.MaxSize)
	} else {
		h.ToTotal(j.rule.Limit.MaxBuckets - 1)
	}
	j.worst = max(j.worst, 0)
	return verdict{ok: true}
}

// storeReduced writes what was reduced.
func storeReduced(j *job, to pmetric.ExponentialHistogramDataPoint) {
	histpoint.StoreExponential(to, &j.exponential)
}
