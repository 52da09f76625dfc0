package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// A delta point stands for itself, so that it is split by what it tells: its minimum
// and maximum and, for PCHIP, its counts. The points of a cumulative stream are all
// split by the same shares, which depend on the layout alone: otherwise what one of
// them adds to a bucket could be less than what the one before did.

func (j *job) fitExplicit(plan *plan, p pmetric.HistogramDataPoint) rebucket.Tally {
	to := j.buckets(plan.fromExplicit.Buckets())
	if j.steady || plan.merges {
		return plan.fromExplicit.Apply(to, j.explicit.Counts)
	}
	t := histpoint.TotalsOf(p)
	return plan.fromExplicit.Fit(to, j.explicit.Counts, rebucket.Range{Min: t.Min, Max: t.Max})
}

func (j *job) fitExponential(plan *plan) rebucket.Tally {
	h, to := &j.exponential, j.buckets(plan.fromExponential.Buckets())
	if j.steady || plan.merges {
		return applyExponential(plan, to, h)
	}
	return plan.fromExponential.Fit(to, h.ZeroCount, h.Positive, h.Negative, rebucket.Range{Min: h.Min, Max: h.Max})
}
