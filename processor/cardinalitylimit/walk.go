package cardinalitylimit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
)

// walker takes one batch through decision and folding, in place.
type walker struct {
	*limiter
	cursor *limit.Cursor
	batch  *fold.Batch // nil where nothing is changed

	// bounds cuts what is over attribute_limits, before anything else sees it.
	bounds oversize.Cutter

	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	metric   pmetric.Metric
	// stateful: a point that passes may belong to a stream that was folded before.
	stateful bool
	removed  []bool
}

func (w *walker) walk(md pmetric.Metrics) {
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		w.resource = w.bounds.ResourceMetrics(rm)
		w.cursor.Resource(w.resource)
		had := rm.ScopeMetrics().Len()
		rm.ScopeMetrics().RemoveIf(w.scopeMetrics)
		return had > 0 && rm.ScopeMetrics().Len() == 0
	})
}

func (w *walker) scopeMetrics(sm pmetric.ScopeMetrics) (empty bool) {
	w.scope = w.bounds.ScopeMetrics(sm)
	w.cursor.Scope(w.scope)
	had := sm.Metrics().Len()
	sm.Metrics().RemoveIf(w.metricPoints)
	return had > 0 && sm.Metrics().Len() == 0
}

// metricPoints reports whether the metric has lost all its points. What came empty
// stays empty.
func (w *walker) metricPoints(m pmetric.Metric) (empty bool) {
	if !w.bounds.Metric(m, pointsOf(m)) {
		return !w.bounds.Copy
	}
	w.metric = m
	w.cursor.Metric(m)
	const cumulative = pmetric.AggregationTemporalityCumulative
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		w.stateful = w.compiled.gauge == fold.GaugeSum
		return points(w, m.Gauge().DataPoints(), &numbers)
	case pmetric.MetricTypeSum:
		w.stateful = m.Sum().AggregationTemporality() == cumulative
		return points(w, m.Sum().DataPoints(), &numbers)
	case pmetric.MetricTypeHistogram:
		w.stateful = m.Histogram().AggregationTemporality() == cumulative
		return points(w, m.Histogram().DataPoints(), &histograms)
	case pmetric.MetricTypeExponentialHistogram:
		w.stateful = m.ExponentialHistogram().AggregationTemporality() == cumulative
		return points(w, m.ExponentialHistogram().DataPoints(), &exponentials)
	case pmetric.MetricTypeSummary:
		w.stateful = true
		return points(w, m.Summary().DataPoints(), &summaries)
	default:
		return false
	}
}

// datapoint is what the points of all types have in common.
type datapoint interface {
	Attributes() pcommon.Map
	Flags() pmetric.DataPointFlags
	Timestamp() pcommon.Timestamp
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
}

type datapoints[P datapoint] interface {
	Len() int
	At(i int) P
	RemoveIf(f func(P) bool)
}

// codec is how the value of a type of point is read and written.
type codec[P datapoint] struct {
	read      func(P) (fold.Value, fold.Stats)
	write     func(fold.Value, P)
	exemplars func(P) pmetric.ExemplarSlice
	buckets   func(P) int
}

var (
	numbers = codec[pmetric.NumberDataPoint]{
		fold.ReadNumber, fold.WriteNumber, pmetric.NumberDataPoint.Exemplars,
		func(pmetric.NumberDataPoint) int { return 0 },
	}
	histograms = codec[pmetric.HistogramDataPoint]{
		fold.ReadHistogram, fold.WriteHistogram, pmetric.HistogramDataPoint.Exemplars,
		func(p pmetric.HistogramDataPoint) int { return max(p.BucketCounts().Len(), p.ExplicitBounds().Len()) },
	}
	exponentials = codec[pmetric.ExponentialHistogramDataPoint]{
		fold.ReadExponential, fold.WriteExponential, pmetric.ExponentialHistogramDataPoint.Exemplars,
		func(p pmetric.ExponentialHistogramDataPoint) int {
			return p.Positive().BucketCounts().Len() + p.Negative().BucketCounts().Len()
		},
	}
	summaries = codec[pmetric.SummaryDataPoint]{
		fold.ReadSummary, fold.WriteSummary, func(pmetric.SummaryDataPoint) pmetric.ExemplarSlice { return noExemplars },
		func(p pmetric.SummaryDataPoint) int { return p.QuantileValues().Len() },
	}
)

var noExemplars = pmetric.NewExemplarSlice()

// points decides on each point and removes those that do not go on. Nothing is
// allocated where all of them do.
func points[P datapoint, S datapoints[P]](w *walker, s S, c *codec[P]) (empty bool) {
	w.removed = w.removed[:0]
	gone := 0
	for i := range s.Len() {
		stays := point(w, s.At(i), c)
		w.removed = append(w.removed, !stays)
		if !stays {
			gone++
		}
	}
	if gone == 0 {
		return false
	}
	i := -1
	s.RemoveIf(func(P) bool {
		i++
		return w.removed[i]
	})
	return s.Len() == 0
}
