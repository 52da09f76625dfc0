package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// verdict is the result of converting a point into scratch memory.
type verdict struct {
	ok     bool   // the point was converted
	drop   bool   // the point is dropped because of on_violation
	reason Reason // why the point was not converted
	err    error  // of an invalid point
}

// passing has the treatment of points that keep their layout, by their kind.
type passing[P histpoint.Point] struct {
	restate func(*job, P) // bounds the form of a valid point
	empty   func(P)       // treats a point without recorded value
}

// A point without recorded value may still have buckets. In an explicit point they remain, because exporters that write
// stale markers read its bounds. In an exponential point they are removed, because a reader that ignores the flag would
// add their counts up.
var (
	passingExplicit = passing[pmetric.HistogramDataPoint]{
		restate: func(j *job, p pmetric.HistogramDataPoint) { j.explicit.restate(p) },
		empty:   func(pmetric.HistogramDataPoint) {},
	}
	passingExponential = passing[pmetric.ExponentialHistogramDataPoint]{
		restate: func(j *job, p pmetric.ExponentialHistogramDataPoint) { j.exponential.restate(p) },
		empty:   func(p pmetric.ExponentialHistogramDataPoint) { histpoint.StoreExponential(p, new(expo.Histogram)) },
	}
)

// maxPassedBuckets bounds the buckets of a point that keeps its layout, per sign if it is exponential. SDKs record at most
// 160.
const maxPassedBuckets = 2048

// unconverted treats a point that was not converted, and reports whether to drop it.
func (k passing[P]) unconverted(j *job, p P, v verdict) (drop bool) {
	if drop = j.countUnconverted(v); !drop && v.err == nil {
		k.restate(j, p)
	}
	return drop
}

// rewrite converts points in place.
func rewrite[P histpoint.Point, S histpoint.Slice[P]](
	j *job, points S, convert func(*job, P) verdict, store func(*job, P), pass passing[P], kind Layout,
) {
	points.RemoveIf(func(p P) bool {
		if p.Flags().NoRecordedValue() {
			pass.empty(p)
			return j.countUnconverted(verdict{reason: NoRecordedValue})
		}
		if v := convert(j, p); !v.ok {
			return pass.unconverted(j, p, v)
		}
		store(j, p)
		j.countConverted(kind, kind)
		return false
	})
}

// retype converts points and moves the converted ones to a slice of the other kind.
func retype[P, Q histpoint.Point, S histpoint.Slice[P], T histpoint.Slice[Q]](
	j *job, points S, target T, convert func(*job, P) verdict, store func(*job, Q), pass passing[P], from, to Layout,
) {
	target.EnsureCapacity(points.Len())
	points.RemoveIf(func(p P) bool {
		if p.Flags().NoRecordedValue() {
			// The marker moves too: it ends the series to which the points of its stream went.
			j.countUnconverted(verdict{reason: NoRecordedValue})
			histpoint.MoveCommon(p, target.AppendEmpty())
			return true
		}
		if v := convert(j, p); !v.ok {
			return pass.unconverted(j, p, v)
		}
		q := target.AppendEmpty()
		histpoint.MoveCommon(p, q)
		store(j, q)
		j.countConverted(from, to)
		return true
	})
}

// metricFor returns the metric for points that have changed type: m if it has no points left, and otherwise a new
// sibling with the same name, unit and description.
func metricFor(m pmetric.Metric, pointsLeft int, siblings pmetric.MetricSlice) pmetric.Metric {
	if pointsLeft == 0 {
		return m
	}
	t := siblings.AppendEmpty()
	t.SetName(m.Name())
	t.SetUnit(m.Unit())
	t.SetDescription(m.Description())
	m.Metadata().CopyTo(t.Metadata())
	return t
}
