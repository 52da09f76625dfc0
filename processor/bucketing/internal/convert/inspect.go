package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// A point that keeps its layout is inspected: it is valid, or goes by the rule for invalid points, and it
// leaves in a form whose cost to the components downstream is bounded. The form of an ordinary point is
// that already; its bits stay.

// maxPassedBuckets bounds the buckets of a point that keeps its layout, for each sign of an exponential
// one. SDKs record 160 at most.
const maxPassedBuckets = 2048

// inspectExplicit loads a point that no target is for.
func inspectExplicit(j *job, p pmetric.HistogramDataPoint) verdict {
	if _, err := histpoint.LoadExplicit(&j.explicit, p); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	return verdict{reason: Unmatched}
}

// inspectExponential loads a point that no target is for.
func inspectExponential(j *job, p pmetric.ExponentialHistogramDataPoint) verdict {
	if err := histpoint.LoadExponential(&j.exponential, p); err != nil {
		return verdict{reason: Invalid, err: err}
	}
	return verdict{reason: Unmatched}
}

// restateExplicit rewrites a valid point that passes if its form is not bounded: +Inf among its bounds,
// which is implied, or too many of them.
func restateExplicit(j *job, p pmetric.HistogramDataPoint) {
	h := &j.explicit
	if len(h.Counts) > maxPassedBuckets {
		to := histpoint.Explicit{Bounds: rebucket.Subset(h.Bounds, maxPassedBuckets, nil), Count: h.Count}
		to.Counts = make([]uint64, len(to.Bounds)+1)
		rebucket.Merge(to.Counts, to.Bounds, h.Bounds, h.Counts)
		histpoint.StoreExplicit(p, &to)
		return
	}
	if h.Restated {
		histpoint.StoreExplicit(p, h)
	}
}

// restateExponential does the same for an exponential point; see [expo.Histogram.Normalize].
func restateExponential(j *job, p pmetric.ExponentialHistogramDataPoint) {
	h := &j.exponential
	if histpoint.LoadExponential(h, p) == nil && h.Normalize(maxPassedBuckets) {
		histpoint.StoreExponential(p, h)
	}
}

// emptyExponential takes the buckets off a point that has no recorded value: whatever there is counts
// nothing, and those who do not look at the flag would read it.
func emptyExponential(p pmetric.ExponentialHistogramDataPoint) {
	histpoint.StoreExponential(p, new(expo.Histogram))
}

// keepExplicit leaves a point without recorded value as it is: the writers of stale markers read its bounds.
func keepExplicit(pmetric.HistogramDataPoint) {}
