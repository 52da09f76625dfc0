package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// rebucketExplicit converts an explicit point to the bounds of its plan: those of the
// target, or those between the buckets of an exponential layout.
func rebucketExplicit(j *job, p pmetric.HistogramDataPoint) verdict {
	same, err := histpoint.LoadExplicit(&j.explicit, p)
	switch {
	case err != nil:
		return verdict{reason: Invalid, err: err}
	case len(j.explicit.Bounds) == 0:
		return verdict{reason: NoBuckets}
	case !same:
		j.lastExplicit = nil
	}
	if j.stateful() && len(j.explicit.Bounds) <= maxCachedBounds {
		return accumulate(j, p, explicitSource{j})
	}
	if j.choosing() && !j.steady {
		return j.limitByError()
	}
	plan := j.planExplicit()
	if plan.refused {
		return verdict{reason: plan.reason}
	}
	if j.watchExplicit(p, plan) {
		return verdict{drop: true}
	}
	j.setTarget(plan, j.explicit.Count)
	return j.weigh(j.fitExplicit(plan, p), j.explicit.Count)
}

// planExplicit finds the plan for the bounds in scratch space.
func (j *job) planExplicit() *plan {
	if j.choosing() && j.stateful() {
		return j.planChosen()
	}
	if j.lastExplicit == nil {
		j.lastExplicit = j.plans.explicit(&j.scratch, j.rule, j.unit, j.explicit.Bounds)
	}
	return j.lastExplicit
}

// storeExplicit writes what was converted.
func storeExplicit(j *job, to pmetric.HistogramDataPoint) {
	histpoint.StoreExplicit(to, &j.target)
}

// storeLayout writes what was converted to the bounds of an exponential layout.
func storeLayout(j *job, to pmetric.ExponentialHistogramDataPoint) {
	j.targetLayout.Histogram(&j.layout, j.target.Counts)
	j.layout.Count = j.target.Count
	histpoint.StoreExponential(to, &j.layout)
}
