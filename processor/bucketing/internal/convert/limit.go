package convert

import "github.com/otelcol-custom/otelcol-custom/internal/rebucket"

// choosing tells whether the bounds that stay are chosen by counts. Layouts of more
// than maxCachedBounds are limited by position: choosing takes longer the more bounds
// there are, and those are a sender's to name.
func (j *job) choosing() bool {
	l := j.rule.Limit
	return l != nil && l.MinError && len(j.explicit.Bounds) <= maxCachedBounds
}

func (j *job) choose() []float64 {
	j.chosen = j.chooser.Choose(j.chosen, j.explicit.Bounds, j.explicit.Counts, j.rule.Limit.MaxBuckets, j.rule.Limit.Pin)
	return j.chosen
}

// limitByError limits a delta point, which has bounds of its own.
func (j *job) limitByError() verdict {
	j.target.Bounds, j.target.Count = j.choose(), j.explicit.Count
	rebucket.Merge(j.buckets(len(j.target.Bounds)+1), j.target.Bounds, j.explicit.Bounds, j.explicit.Counts)
	return j.weigh(rebucket.Tally{}, j.explicit.Count)
}

// planChosen returns the plan to the bounds that a stream's first point gives it.
func (j *job) planChosen() *plan {
	to := &plan{bounds: append([]float64(nil), j.choose()...)}
	return j.plans.between(&j.scratch, j.rule, to, j.explicit.Bounds)
}
