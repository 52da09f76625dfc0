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

// output is a converted point, but for what conversion leaves alone. It reuses its space.
type output struct {
	explicit    histpoint.Explicit // its bounds are a target's
	layout      rebucket.Layout
	exponential expo.Histogram // by layout; shares the counts
}

// begin sets the layout and the count, and returns the counts of the buckets, of no defined value.
func (o *output) begin(t *target, count uint64) []uint64 {
	o.explicit.Bounds, o.explicit.Count, o.layout = t.bounds, count, t.layout
	o.explicit.Counts = slices.Grow(o.explicit.Counts[:0], t.buckets())[:t.buckets()]
	return o.explicit.Counts
}

func (o *output) storeExplicit(p pmetric.HistogramDataPoint) { histpoint.StoreExplicit(p, &o.explicit) }

func (o *output) storeExponential(p pmetric.ExponentialHistogramDataPoint) {
	o.layout.Histogram(&o.exponential, o.explicit.Counts)
	o.exponential.Count = o.explicit.Count
	histpoint.StoreExponential(p, &o.exponential)
}
