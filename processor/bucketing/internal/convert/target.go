package convert

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// target is the layout of converted points. It is immutable.
type target struct {
	bounds []float64       // the bounds between the buckets, also of an exponential target
	layout rebucket.Layout // of an exponential target; otherwise zero
}

// buckets returns the number of buckets.
func (t *target) buckets() int { return len(t.bounds) + 1 }

// exponential reports whether the target is an exponential layout.
func (t *target) exponential() bool { return t.layout != rebucket.Layout{} }

// planFrom returns the plan from source bounds.
func (t *target) planFrom(source []float64, split rebucket.Split) *rebucket.Plan {
	if t.exponential() {
		return rebucket.NewLayoutPlan(t.layout, source, split)
	}
	return rebucket.NewPlan(t.bounds, source, split)
}

// output has the converted fields of a point. It reuses its memory for all points.
type output struct {
	explicit    histpoint.Explicit // with the bounds of the target
	layout      rebucket.Layout    // of an exponential target
	exponential expo.Histogram     // in that layout; it shares the counts with explicit
	// minZeroThreshold is the magnitude of a negative minimum for which the layout has no bucket. The zero bucket counts
	// it, so the zero threshold is raised to it.
	minZeroThreshold float64
}

// begin sets the target and the count, and returns the counts of the buckets. Their values are undefined.
func (o *output) begin(t *target, count uint64) []uint64 {
	o.explicit.Bounds, o.explicit.Count, o.layout, o.minZeroThreshold = t.bounds, count, t.layout, 0
	o.explicit.Counts = slices.Grow(o.explicit.Counts[:0], t.buckets())[:t.buckets()]
	return o.explicit.Counts
}

func (o *output) storeExplicit(p pmetric.HistogramDataPoint) { histpoint.StoreExplicit(p, &o.explicit) }

func (o *output) storeExponential(p pmetric.ExponentialHistogramDataPoint) {
	o.layout.Histogram(&o.exponential, o.explicit.Counts)
	o.exponential.Count = o.explicit.Count
	o.exponential.RaiseZero(o.minZeroThreshold)
	histpoint.StoreExponential(p, &o.exponential)
}
