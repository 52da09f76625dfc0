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

// walker decides on the points of one batch, folds points, and removes those that do not stay. It first decides on the points
// of series that every limit knows, then on strangers, the heaviest series first.
type walker struct {
	*limiter
	cursor *limit.Cursor
	batch  *fold.Batch // see staging
	// cutter applies attribute_limits before any other step reads the data.
	cutter oversize.Cutter

	attributes pcommon.Map // of the point at hand
	pos        position
	strangers  rank.Queue
	// metricsOfStrangers contains the metrics that have strangers. Stranger.Metric is an index of it.
	metricsOfStrangers []position
	// removed is true for each point of the batch that is removed, in the order of the walk.
	removed      []bool
	removedCount int
	// unanswered contains the strangers that need another answer of the cluster.
	unanswered []rank.Stranger
}

// position is a metric with its resource and scope.
type position struct {
	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	metric   pmetric.Metric
	// stateful is true if a passing point may belong to a stream that was folded before.
	stateful   bool
	writer     uint64 // identity of the metric's writer, if its streams are cumulative; otherwise 0
	firstPoint int    // index of the metric's first point in walker.removed
	cursorPos  int    // number of the saved position of the cursor; valid in walker.metricsOfStrangers
}

func (p *limiter) newWalker(c *limit.Cursor) *walker {
	w, ok := p.walkers.Get().(*walker)
	if !ok {
		w = &walker{limiter: p}
	}
	w.cursor = c
	w.cutter = oversize.Cutter{Limits: p.compiled.bounds, Copy: p.foretold != nil}
	return w
}

// staging returns the batch that the points are folded into. A request of delta points that all pass has none.
func (w *walker) staging() *fold.Batch {
	if w.batch == nil {
		w.batch = w.folding().Batch()
	}
	return w.batch
}

// detach returns the batch, or nil if nothing was staged. The walker does not end it any more.
func (w *walker) detach() (b *fold.Batch) {
	b, w.batch = w.batch, nil
	return b
}

// end returns the walker to the pool, without references to the request.
func (w *walker) end() {
	w.batch.End()
	w.cursor, w.batch, w.cutter, w.pos = nil, nil, oversize.Cutter{}, position{}
	w.attributes = pcommon.Map{}
	clear(w.metricsOfStrangers)
	w.metricsOfStrangers, w.removed, w.removedCount = w.metricsOfStrangers[:0], w.removed[:0], 0
	w.strangers.Reset()
	w.unanswered = w.unanswered[:0]
	w.walkers.Put(w)
}

func (w *walker) walk(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		w.pos.resource = w.cutter.ResourceMetrics(rm)
		w.cursor.Resource(w.pos.resource)
		for _, sm := range rm.ScopeMetrics().All() {
			w.pos.scope = w.cutter.ScopeMetrics(sm)
			w.cursor.Scope(w.pos.scope)
			for _, m := range sm.Metrics().All() {
				w.decideMetric(m)
			}
		}
	}
	strangers := w.strangers.Ordered()
	if w.cursor.InCluster() {
		w.askCluster(strangers)
	}
	for _, s := range strangers {
		w.pos = w.metricsOfStrangers[s.Metric]
		w.cursor.Return(w.pos.cursorPos)
		if !typeOf(w.pos.metric).decideStranger(w, w.pos.metric, int(s.Point)) {
			w.remove(w.pos.firstPoint + int(s.Point))
		}
	}
	if w.removedCount > 0 {
		w.prune(md)
	}
}

// decideMetric decides on the points of a metric that are not strangers.
func (w *walker) decideMetric(m pmetric.Metric) {
	n := pointcount.InMetric(m)
	w.pos.metric, w.pos.firstPoint, w.pos.cursorPos = m, len(w.removed), -1
	w.removed = append(w.removed, make([]bool, n)...)
	if !w.cutter.Metric(m, n) {
		for i := range n {
			if !w.cutter.Copy {
				w.remove(w.pos.firstPoint + i)
			}
		}
		return
	}
	w.cursor.Metric(m)
	w.pos.stateful, w.pos.writer = w.isStateful(m), 0
	if w.pos.stateful {
		w.pos.writer = w.cursor.Writer()
		w.staging() // notes each point of a writer
	}
	if k := typeOf(m); k.decidePoints != nil {
		k.decidePoints(w, m)
	}
}

// isStateful reports whether folding keeps the last point of each stream of a metric. An unspecified temporality is treated as
// cumulative, as folding does.
func (w *walker) isStateful(m pmetric.Metric) bool {
	switch k := typeOf(m); {
	case m.Type() == pmetric.MetricTypeGauge:
		rule := w.cursor.Rule()
		return w.compiled.gauge == fold.GaugeSum || rule >= 0 && w.compiled.labelGauges[rule] == fold.GaugeSum
	case k.temporality == nil:
		return true
	default:
		return k.temporality(m) != pmetric.AggregationTemporalityDelta
	}
}

func (w *walker) remove(point int) {
	w.removed[point] = true
	w.removedCount++
}

// addStranger adds a point to the strangers. It returns false if there are too many.
func (w *walker) addStranger(s rank.Stranger) bool {
	if w.pos.cursorPos < 0 {
		w.pos.cursorPos = w.cursor.Save()
		w.metricsOfStrangers = append(w.metricsOfStrangers, w.pos)
	}
	s.Metric = int32(len(w.metricsOfStrangers) - 1) //nolint:gosec // at most one per stranger
	return w.strangers.Add(s)
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
				removed := w.removed[next : next+pointcount.InMetric(m)]
				next += len(removed)
				return slices.Contains(removed, true) && typeOf(m).prune(m, removed)
			})
			return had > 0 && sm.Metrics().Len() == 0
		})
		return had > 0 && rm.ScopeMetrics().Len() == 0
	})
}

func prunePoints[P datapoint, S datapoints[P]](s S, removed []bool) (empty bool) {
	i := -1
	s.RemoveIf(func(P) bool {
		i++
		return removed[i]
	})
	return s.Len() == 0
}

// decidePoints decides on each point of a metric that is not a stranger. It allocates nothing if no point is a stranger.
func decidePoints[P datapoint, S datapoints[P]](w *walker, s S, c *codec[P]) {
	for i := range s.Len() {
		p := s.At(i)
		if !readPoint(w, p, c) {
			if !w.cutter.Copy {
				w.remove(w.pos.firstPoint + i)
			}
			continue
		}
		if stays := decideOrWait(w, p, c, i); !stays {
			w.remove(w.pos.firstPoint + i)
		}
	}
}
