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

// walker decides on and folds the points of one batch, in place. It first decides on the points of series that every limit
// knows, then on strangers, the heaviest series first.
type walker struct {
	*limiter
	cursor *limit.Cursor
	batch  *fold.Batch
	// bounds applies attribute_limits before any other step reads the data.
	bounds oversize.Cutter

	attributes pcommon.Map // of the point at hand
	at         surroundings
	// met contains the metrics that have strangers. The strangers in waiting refer to it by index.
	met     []surroundings
	waiting rank.Queue
	// gone is true for each point of the batch that is removed, in the order of the walk.
	gone    []bool
	removed int
	// asking contains the strangers that need another answer of the cluster.
	asking []rank.Stranger
}

// surroundings are a metric with its resource and scope.
type surroundings struct {
	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	metric   pmetric.Metric
	// stateful is true if a passing point may belong to a stream that was folded before.
	stateful bool
	writer   uint64 // identity of the metric's writer, if its streams are cumulative; otherwise 0
	first    int    // index of the metric's first point in gone
	saved    int    // number of the saved position of the cursor; valid in walker.met
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

// end returns the walker to the pool, without references to the batch.
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
	if k := typeOf(m); k.decide != nil {
		k.decide(w, m)
	}
}

// isStateful reports whether folding keeps the last point of each stream of a metric.
func (w *walker) isStateful(m pmetric.Metric) bool {
	switch k := typeOf(m); {
	case m.Type() == pmetric.MetricTypeGauge:
		return w.compiled.gauge == fold.GaugeSum
	case k.temporality == nil:
		return true
	default:
		return k.temporality(m) == pmetric.AggregationTemporalityCumulative
	}
}

// stranger decides on a stranger of the metric at hand and reports whether it stays in the batch.
func stranger(w *walker, i int) (stays bool) { return typeOf(w.at.metric).stranger(w, w.at.metric, i) }

func (w *walker) remove(point int) {
	w.gone[point] = true
	w.removed++
}

// putOff adds a point to the strangers. It returns false if there are too many.
func (w *walker) putOff(s rank.Stranger) bool {
	if w.at.saved < 0 {
		w.at.saved = w.cursor.Save()
		w.met = append(w.met, w.at)
	}
	s.Metric = int32(len(w.met) - 1) //nolint:gosec // at most one per stranger
	return w.waiting.Add(s)
}

// prune removes the points that do not go on, and the metrics, scopes and resources that contained only such points. Empty ones
// that came in the batch stay.
func (w *walker) prune(md pmetric.Metrics) {
	next := 0
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		had := rm.ScopeMetrics().Len()
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			had := sm.Metrics().Len()
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				gone := w.gone[next : next+pointcount.InMetric(m)]
				next += len(gone)
				return slices.Contains(gone, true) && typeOf(m).prune(m, gone)
			})
			return had > 0 && sm.Metrics().Len() == 0
		})
		return had > 0 && rm.ScopeMetrics().Len() == 0
	})
}

func prunePoints[P datapoint, S datapoints[P]](s S, gone []bool) (empty bool) {
	i := -1
	s.RemoveIf(func(P) bool {
		i++
		return gone[i]
	})
	return s.Len() == 0
}

// points decides on each point that is not a stranger. It allocates nothing if no point is a stranger.
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
