package convert

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// target is a layout that points are converted to. Immutable.
type target struct {
	bounds []float64       // between the buckets, also those of an exponential layout
	layout rebucket.Layout // of an exponential target
}

// buckets is the number of buckets.
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

// output is a converted point without what conversion leaves alone. It reuses its space.
type output struct {
	explicit    histpoint.Explicit // its bounds are a target's
	layout      rebucket.Layout
	exponential expo.Histogram // by layout; shares the counts
	// zeroReach is the magnitude of an observation below the layout, which the zero bucket counts.
	zeroReach float64
}

// begin sets the layout and the count, and returns the counts of the buckets, of no defined value.
func (o *output) begin(t *target, count uint64) []uint64 {
	o.explicit.Bounds, o.explicit.Count, o.layout, o.zeroReach = t.bounds, count, t.layout, 0
	o.explicit.Counts = slices.Grow(o.explicit.Counts[:0], t.buckets())[:t.buckets()]
	return o.explicit.Counts
}

func (o *output) storeExplicit(p pmetric.HistogramDataPoint) { histpoint.StoreExplicit(p, &o.explicit) }

func (o *output) storeExponential(p pmetric.ExponentialHistogramDataPoint) {
	o.layout.Histogram(&o.exponential, o.explicit.Counts)
	o.exponential.Count = o.explicit.Count
	o.exponential.RaiseZero(o.zeroReach)
	histpoint.StoreExponential(p, &o.exponential)
}
