package convert

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// verdict says whether a point was converted, into scratch space, or why not.
type verdict struct {
	ok     bool
	drop   bool // by on_violation
	reason Reason
	err    error
}

// passing is what happens to the points of one kind that keep their layout.
type passing[P histpoint.Point] struct {
	restate func(*job, P) // of a valid point
	empty   func(P)       // of a point without recorded value
}

// A point without recorded value may still have buckets, which count nothing. The writers of stale
// markers read an explicit point's bounds; an exponential one loses its buckets, or those who do not look at
// the flag would add them up.
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

// maxPassedBuckets bounds the buckets of a point that keeps its layout, for each sign of an exponential
// one. SDKs record 160 at most.
const maxPassedBuckets = 2048

// refuse drops or passes a point that was not converted, and reports whether to drop it.
func (k passing[P]) refuse(j *job, p P, v verdict) (drop bool) {
	if drop = j.refuse(v); !drop && v.err == nil {
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
			return j.refuse(verdict{reason: NoRecordedValue})
		}
		if v := convert(j, p); !v.ok {
			return pass.refuse(j, p, v)
		}
		store(j, p)
		j.converted(kind, kind)
		return false
	})
}

// retype moves points that can be converted to a slice of the other kind.
func retype[P, Q histpoint.Point, S histpoint.Slice[P], T histpoint.Slice[Q]](
	j *job, points S, target T, convert func(*job, P) verdict, store func(*job, Q), pass passing[P], from, to Layout,
) {
	target.EnsureCapacity(points.Len())
	points.RemoveIf(func(p P) bool {
		if p.Flags().NoRecordedValue() {
			// The marker ends the series that this stream's points went to.
			j.refuse(verdict{reason: NoRecordedValue})
			histpoint.MoveCommon(p, target.AppendEmpty())
			return true
		}
		if v := convert(j, p); !v.ok {
			return pass.refuse(j, p, v)
		}
		q := target.AppendEmpty()
		histpoint.MoveCommon(p, q)
		store(j, q)
		j.converted(from, to)
		return true
	})
}

// home returns the metric for points that have changed type: the one they came
// from, unless others stay there.
func home(m pmetric.Metric, stay int, siblings pmetric.MetricSlice) pmetric.Metric {
	if stay == 0 {
		return m
	}
	return duplicate(m, siblings)
}

// duplicate adds a metric of the same name, unit and description to siblings.
func duplicate(m pmetric.Metric, siblings pmetric.MetricSlice) pmetric.Metric {
	t := siblings.AppendEmpty()
	t.SetName(m.Name())
	t.SetUnit(m.Unit())
	t.SetDescription(m.Description())
	m.Metadata().CopyTo(t.Metadata())
	return t
}
