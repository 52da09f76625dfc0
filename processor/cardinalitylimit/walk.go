package cardinalitylimit

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/pointcount"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/rank"
)

// walker takes one batch through decision and folding, in place: first the points of series that every
// limit knows, then strangers, the heaviest series first.
type walker struct {
	*limiter
	cursor *limit.Cursor
	batch  *fold.Batch
	// bounds cuts what is over attribute_limits, before anything else sees it.
	bounds oversize.Cutter

	attributes pcommon.Map // of the point at hand
	at         surroundings
	// met are the metrics that have strangers, whose points number waiting.
	met     []surroundings
	waiting rank.Queue
	// gone says of each point of the batch whether it does not go on, in the order of the walk.
	gone    []bool
	removed int
	// asking are the strangers that need another answer of the cluster, pairs of metric and point.
	asking []rank.Stranger
}

// surroundings are a metric and what contains it.
type surroundings struct {
	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	metric   pmetric.Metric
	// stateful: a point that passes may belong to a stream that was folded before.
	stateful bool
	writer   uint64 // of the metric's streams, if they are cumulative; 0 otherwise
	first    int    // index of the metric's first point in gone
	saved    int    // of the cursor; valid in walker.met
}

func (p *limiter) newWalker(c *limit.Cursor, b *fold.Batch) *walker {
	w, ok := p.walkers.Get().(*walker)
	if !ok {
		w = &walker{limiter: p}
	}
	w.cursor, w.batch = c, b
	w.bounds = oversize.Cutter{Limits: p.compiled.bounds, Copy: p.foretold != nil}
	return w
}

// end gives the walker back, without the batch.
func (w *walker) end() {
	w.cursor, w.batch, w.bounds, w.at = nil, nil, oversize.Cutter{}, surroundings{}
	w.attributes = pcommon.Map{}
	clear(w.met)
	w.met, w.gone, w.removed = w.met[:0], w.gone[:0], 0
	w.waiting.Reset()
	w.asking = w.asking[:0]
	w.walkers.Put(w)
}

func (w *walker) walk(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		w.at.resource = w.bounds.ResourceMetrics(rm)
		w.cursor.Resource(w.at.resource)
		for _, sm := range rm.ScopeMetrics().All() {
			w.at.scope = w.bounds.ScopeMetrics(sm)
			w.cursor.Scope(w.at.scope)
			for _, m := range sm.Metrics().All() {
				w.decide(m)
			}
		}
	}
	strangers := w.waiting.Ordered()
	if w.cursor.Shares() {
		w.askCluster(strangers)
	}
	for _, s := range strangers {
		w.at = w.met[s.Metric]
		w.cursor.Return(w.at.saved)
		if !stranger(w, int(s.Point)) {
			w.remove(w.at.first + int(s.Point))
		}
	}
	if w.removed > 0 {
		w.prune(md)
	}
}

// decide decides on the points of a metric that are not strangers.
func (w *walker) decide(m pmetric.Metric) {
	n := pointcount.InMetric(m)
	w.at.metric, w.at.first, w.at.saved = m, len(w.gone), -1
	w.gone = append(w.gone, make([]bool, n)...)
	if !w.bounds.Metric(m, n) {
		for i := range n {
			if !w.bounds.Copy {
				w.remove(w.at.first + i)
			}
		}
		return
	}
	w.cursor.Metric(m)
	w.at.stateful, w.at.writer = w.isStateful(m), 0
	if w.at.stateful {
		w.at.writer = w.cursor.Writer()
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points(w, m.Gauge().DataPoints(), &numbers)
	case pmetric.MetricTypeSum:
		points(w, m.Sum().DataPoints(), &numbers)
	case pmetric.MetricTypeHistogram:
		points(w, m.Histogram().DataPoints(), &histograms)
	case pmetric.MetricTypeExponentialHistogram:
		points(w, m.ExponentialHistogram().DataPoints(), &exponentials)
	case pmetric.MetricTypeSummary:
		points(w, m.Summary().DataPoints(), &summaries)
	}
}

// isStateful reports whether folding keeps the last point of each stream of a metric.
func (w *walker) isStateful(m pmetric.Metric) bool {
	const cumulative = pmetric.AggregationTemporalityCumulative
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return w.compiled.gauge == fold.GaugeSum
	case pmetric.MetricTypeSum:
		return m.Sum().AggregationTemporality() == cumulative
	case pmetric.MetricTypeHistogram:
		return m.Histogram().AggregationTemporality() == cumulative
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().AggregationTemporality() == cumulative
	default:
		return true
	}
}

// stranger decides on a point of the metric at hand and reports whether it stays.
func stranger(w *walker, i int) (stays bool) {
	switch m := w.at.metric; m.Type() {
	case pmetric.MetricTypeGauge:
		return point(w, m.Gauge().DataPoints().At(i), &numbers)
	case pmetric.MetricTypeSum:
		return point(w, m.Sum().DataPoints().At(i), &numbers)
	case pmetric.MetricTypeHistogram:
		return point(w, m.Histogram().DataPoints().At(i), &histograms)
	case pmetric.MetricTypeExponentialHistogram:
		return point(w, m.ExponentialHistogram().DataPoints().At(i), &exponentials)
	default:
		return point(w, m.Summary().DataPoints().At(i), &summaries)
	}
}

func (w *walker) remove(point int) {
	w.gone[point] = true
	w.removed++
}

// putOff lets a point wait for its turn among the strangers. It reports false if too many do.
func (w *walker) putOff(s rank.Stranger) bool {
	if w.at.saved < 0 {
		w.at.saved = w.cursor.Save()
		w.met = append(w.met, w.at)
	}
	s.Metric = int32(len(w.met) - 1) //nolint:gosec // at most one for each stranger
	return w.waiting.Add(s)
}

// prune removes the points that do not go on, and what contained nothing else. What came empty stays
// empty.
func (w *walker) prune(md pmetric.Metrics) {
	next := 0
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		had := rm.ScopeMetrics().Len()
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			had := sm.Metrics().Len()
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				gone := w.gone[next : next+pointcount.InMetric(m)]
				next += len(gone)
				return slices.Contains(gone, true) && pruneMetric(m, gone)
			})
			return had > 0 && sm.Metrics().Len() == 0
		})
		return had > 0 && rm.ScopeMetrics().Len() == 0
	})
}

// pruneMetric reports whether the metric has lost all its points.
func pruneMetric(m pmetric.Metric, gone []bool) (empty bool) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return prunePoints(m.Gauge().DataPoints(), gone)
	case pmetric.MetricTypeSum:
		return prunePoints(m.Sum().DataPoints(), gone)
	case pmetric.MetricTypeHistogram:
		return prunePoints(m.Histogram().DataPoints(), gone)
	case pmetric.MetricTypeExponentialHistogram:
		return prunePoints(m.ExponentialHistogram().DataPoints(), gone)
	default:
		return prunePoints(m.Summary().DataPoints(), gone)
	}
}

func prunePoints[P datapoint, S datapoints[P]](s S, gone []bool) (empty bool) {
	i := -1
	s.RemoveIf(func(P) bool {
		i++
		return gone[i]
	})
	return s.Len() == 0
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
	weight    func(P) float64 // value of a number, otherwise count
}

var (
	numbers = codec[pmetric.NumberDataPoint]{
		fold.ReadNumber, fold.WriteNumber, pmetric.NumberDataPoint.Exemplars,
		func(pmetric.NumberDataPoint) int { return 0 }, numberOf,
	}
	histograms = codec[pmetric.HistogramDataPoint]{
		fold.ReadHistogram, fold.WriteHistogram, pmetric.HistogramDataPoint.Exemplars,
		func(p pmetric.HistogramDataPoint) int { return max(p.BucketCounts().Len(), p.ExplicitBounds().Len()) },
		func(p pmetric.HistogramDataPoint) float64 { return float64(p.Count()) },
	}
	exponentials = codec[pmetric.ExponentialHistogramDataPoint]{
		fold.ReadExponential, fold.WriteExponential, pmetric.ExponentialHistogramDataPoint.Exemplars,
		func(p pmetric.ExponentialHistogramDataPoint) int {
			return p.Positive().BucketCounts().Len() + p.Negative().BucketCounts().Len()
		},
		func(p pmetric.ExponentialHistogramDataPoint) float64 { return float64(p.Count()) },
	}
	summaries = codec[pmetric.SummaryDataPoint]{
		fold.ReadSummary, fold.WriteSummary, func(pmetric.SummaryDataPoint) pmetric.ExemplarSlice { return noExemplars },
		func(p pmetric.SummaryDataPoint) int { return p.QuantileValues().Len() },
		func(p pmetric.SummaryDataPoint) float64 { return float64(p.Count()) },
	}
)

func numberOf(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

var noExemplars = pmetric.NewExemplarSlice()

// points decides on each point that is no stranger. Nothing is allocated where none is.
func points[P datapoint, S datapoints[P]](w *walker, s S, c *codec[P]) {
	for i := range s.Len() {
		p := s.At(i)
		if !bounded(w, p, c) {
			if !w.bounds.Copy {
				w.remove(w.at.first + i)
			}
			continue
		}
		if stays := known(w, p, c, i); !stays {
			w.remove(w.at.first + i)
		}
	}
}
