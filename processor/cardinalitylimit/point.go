package cardinalitylimit

import (
	"math"
	"math/bits"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/rank"
)

const (
	// scopeName is the scope of overflow series.
	scopeName = "github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit"
	// tagAttribute contains the name of the limit that a tagged point exceeds.
	tagAttribute = "cardinalitylimit.exceeded"
	// instanceAttribute distinguishes the writers of overflow series.
	instanceAttribute = "service.instance.id"
)

// readAttributes moves the cursor to a point with these attributes, cut to attribute_limits. It returns false for a refused point. Most
// points are within the limits and need only one look at their attributes.
func (w *walker) readAttributes(attributes pcommon.Map) (ok bool) {
	w.attributes = attributes
	if w.cursor.Read(attributes, &w.compiled.pointBounds) {
		return true
	}
	if w.attributes, ok = w.cutter.Point(attributes); ok {
		w.cursor.ReadAgain(w.attributes)
	}
	return ok
}

// readPoint reads p and reports whether it is within attribute_limits.
func readPoint[P datapoint](w *walker, p P, c *codec[P]) bool {
	if !w.readAttributes(p.Attributes()) || !w.cutter.Buckets(c.buckets(p)) {
		return false
	}
	w.cutter.Exemplars(c.exemplars(p))
	return true
}

// decideOrWait decides on p, unless it is a stranger that has to wait. It returns false if the point does not stay in its batch. A
// stranger stays until it is decided on.
func decideOrWait[P datapoint](w *walker, p P, c *codec[P], at int) (stays bool) {
	stale := p.Flags().NoRecordedValue()
	if w.pos.writer != 0 && !stale {
		w.batch.NotePoint(w.pos.writer, w.timeOf(p.Timestamp()))
	}
	var d limit.Decision
	if w.cursor.DecideKnown(&d, w.attributes, stale) {
		return carryOut(w, p, c, &d, stale)
	}
	s := rank.Stranger{
		Series: w.cursor.Series(), Weight: weightOf(w, p, c), Time: w.timeOf(p.Timestamp()), Point: int32(at), //nolint:gosec // at most as many as a request has bytes
	}
	if w.addStranger(s) {
		return true
	}
	return decideStranger(w, p, c)
}

// weightOf returns the summand of p in the weight of its series. For monotonic sums, histograms and summaries it is the growth,
// or the value if the growth is not known. For others it is 1.
func weightOf[P datapoint](w *walker, p P, c *codec[P]) float64 {
	if t := w.pos.metric.Type(); t == pmetric.MetricTypeGauge || t == pmetric.MetricTypeSum && !isMonotonicSum(w.pos.metric) {
		return 1
	}
	weight := rank.Finite(c.weight(p))
	if w.pos.stateful {
		weight = w.totals.Growth(w.cursor.Stream(), weight)
	}
	return weight
}

// decideStranger decides on p, which is a stranger, and reports whether it stays in its batch.
func decideStranger[P datapoint](w *walker, p P, c *codec[P]) (stays bool) {
	attributes := p.Attributes()
	if w.cutter.Copy { // the copy with the cut values does not exist any more
		attributes, _ = w.cutter.Again(attributes)
	}
	w.attributes = attributes
	w.cursor.SetStamp(stampOf(w, p, c))
	d := w.cursor.Decide(attributes, p.Flags().NoRecordedValue())
	return carryOut(w, p, c, &d, p.Flags().NoRecordedValue())
}

// stampOf returns a number that differs between two points of a stream if the stream was active between them. It is computed
// from value and start, or from value and time for deltas, where each point is an event of its own.
func stampOf[P datapoint](w *walker, p P, c *codec[P]) uint64 {
	value, since := math.Float64bits(c.weight(p)), p.StartTimestamp()
	if isDelta(w.pos.metric) {
		since = p.Timestamp()
	}
	return value ^ bits.RotateLeft64(uint64(since)*0x9e3779b97f4a7c15, 32)
}

func isDelta(m pmetric.Metric) bool { return temporalityOf(m) == pmetric.AggregationTemporalityDelta }

// carryOut applies a decision and reports whether the point stays in its batch.
func carryOut[P datapoint](w *walker, p P, c *codec[P], d *limit.Decision, stale bool) (stays bool) {
	if w.foretold != nil {
		foretell(w, p, c, d, stale)
		return true
	}
	if d.Rule >= 0 {
		foldPoint(w, p, c, d, stale)
		return false
	}
	switch d.Action {
	case limit.Pass, limit.Tag:
		if w.pos.stateful && !stale && !admit(w, p, c, d.Stream) {
			return false
		}
		if d.Action == limit.Tag {
			p.Attributes().PutStr(tagAttribute, w.set.Name(d.Limit))
		}
		return true
	case limit.Drop:
		return false
	default:
		foldPoint(w, p, c, d, stale)
		return false
	}
}

// foretell adds p to the table of a dry run, as enforcement would fold it. The point itself is unchanged.
func foretell[P datapoint](w *walker, p P, c *codec[P], d *limit.Decision, stale bool) {
	switch {
	case d.Rule >= 0, d.Action == limit.Strip, d.Action == limit.Overflow:
		foldPoint(w, p, c, d, stale)
	case d.Action != limit.Drop && w.pos.stateful && !stale && w.foretold.Knows(d.Stream):
		if v, problem := c.read(p); problem == fold.Readable {
			w.staging().Admit(w.pointOf(d.Stream, p.StartTimestamp(), p.Timestamp(), v))
		} else {
			w.staging().Unreadable(d.Stream, problem)
		}
	}
}

// pointOf returns a point for folding without attributes and exemplars.
func (w *walker) pointOf(stream uint64, start, at pcommon.Timestamp, v fold.Value) fold.Point {
	return fold.Point{Stream: stream, Start: nanoseconds(start), Time: w.timeOf(at), Value: v}
}

// admit decides on a passing point whose stream may have been folded until now. It reports whether the point stays in its
// batch.
func admit[P datapoint](w *walker, p P, c *codec[P], id uint64) (stays bool) {
	if !w.table.Knows(id) {
		return true // never folded, so the value need not be read
	}
	v, problem := c.read(p)
	if problem != fold.Readable {
		return !w.staging().Unreadable(id, problem)
	}
	fp := w.pointOf(id, p.StartTimestamp(), p.Timestamp(), v)
	fp.Attributes, fp.Exemplars = p.Attributes(), c.exemplars(p)
	a := w.staging().Admit(fp)
	if a.Drop {
		return false
	}
	if !a.Same {
		c.write(a.Value, p)
		p.SetStartTimestamp(pcommon.Timestamp(a.Start))
	}
	return true
}

func foldPoint[P datapoint](w *walker, p P, c *codec[P], d *limit.Decision, stale bool) {
	fp := fold.Point{
		Target: d.Target, Stream: d.Stream, Writer: w.pos.writer,
		Start: nanoseconds(p.StartTimestamp()), Time: w.timeOf(p.Timestamp()),
		Horizon: d.Horizon, LostPlace: d.LostPlace, Stale: stale, Gauge: w.pos.metric.Type() == pmetric.MetricTypeGauge,
	}
	if d.Rule >= 0 {
		if fp.GaugeAs = w.compiled.labelGauges[d.Rule]; fp.Gauge && fp.GaugeAs == fold.GaugeDrop {
			w.staging().Drop(fold.Stats{fold.StatGauges: 1, fold.StatExemplars: int64(c.exemplars(p).Len())})
			return
		}
		fp.Baseline = d.Baseline
	}
	if !stale {
		v, problem := c.read(p)
		if fp.Value = v; w.foretold == nil {
			fp.Attributes, fp.Exemplars = p.Attributes(), c.exemplars(p)
			if w.cursor.HasRule() {
				fp.Attributes = w.withoutDropped(fp.Attributes, fp.Exemplars)
			}
		}
		if problem != fold.Readable {
			n := fold.Stats{fold.StatExemplars: int64(c.exemplars(p).Len())}
			n[problem]++
			w.staging().Drop(n)
			return
		}
	}
	attributes := w.attributes
	describe := func() fold.Series { return w.series(attributes, d) }
	if d.Rule >= 0 && d.Action != limit.Overflow {
		if w.staging().TryAdd(fp, describe) {
			return
		}
		w.cursor.FoldIntoOverflow(d)
		fp.Target, fp.Baseline = d.Target, d.Baseline
	}
	w.staging().Add(fp, describe)
}

// timeOf returns the time of a point, or our time if it has none.
func (w *walker) timeOf(t pcommon.Timestamp) int64 {
	if t == 0 {
		return w.cursor.Now()
	}
	return nanoseconds(t)
}

// nanoseconds returns a time in ns since the epoch. Times after the year 2262 are beyond int64 and become the last one.
func nanoseconds(t pcommon.Timestamp) int64 { return int64(min(t, math.MaxInt64)) }

// series describes the series into which the point at hand is folded.
func (w *walker) series(attrs pcommon.Map, d *limit.Decision) fold.Series {
	m := w.pos.metric
	s := fold.Series{
		Group: d.Group, Metric: d.Metric, Metadata: w.metadataOf(d),
		Resource: pcommon.NewResource(), Scope: pcommon.NewInstrumentationScope(), Attributes: pcommon.NewMap(),
		Name: m.Name(), Description: m.Description(), Unit: m.Unit(), Type: m.Type(),
		Temporality: temporalityOf(m), Monotonic: isMonotonicSum(m),
	}
	if d.Rule >= 0 {
		w.describeMerged(&s, attrs, d)
		return s
	}
	// The values of the key are cloned, because they share memory with their whole batch.
	s.Metadata = cloneMetadata(s.Metadata)
	if d.Action == limit.Strip {
		w.cursor.RemainingResource(s.Resource.Attributes(), w.instance+"/"+w.name)
		w.pos.scope.CopyTo(s.Scope)
		w.copyKept(attrs, s.Attributes)
	} else {
		w.cursor.TargetResource(d.Limit, s.Resource.Attributes())
		s.Resource.Attributes().PutStr(instanceAttribute, w.instance+"/"+w.name)
		s.Scope.SetName(scopeName)
	}
	s.Attributes.PutBool(limit.Mark, true)
	return s
}

// metadataOf returns the client metadata under which the series of a limit leaves.
func (w *walker) metadataOf(d *limit.Decision) map[string][]string {
	if d.Rule >= 0 {
		return nil // see describeMerged
	}
	return w.cursor.TargetMetadata(d.Limit)
}

func cloneMetadata(md map[string][]string) map[string][]string {
	for k, v := range md {
		md[k] = slices.Clone(v)
	}
	return md
}
