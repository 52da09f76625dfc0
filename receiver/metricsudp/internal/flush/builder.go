package flush

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Builder makes the batches of one flush. Each batch has one resource, for one origin, and one scope with a metric per name and
// kind. A flush with more than batchPoints points of an origin has several batches of it.
type Builder struct {
	Resource     pcommon.Resource // copied into each batch; an origin's attributes replace its own
	ScopeName    string
	ScopeVersion string
	Cumulative   bool
	IntCounters  bool
	ResendGauges bool // repeat a gauge without new values
	TimerUnit    string

	open openBatches
	now  time.Time // end of the points' interval
}

// repeats reports whether a series has a point in a flush without new values.
func (b *Builder) repeats(s *series.Series) bool { return emitters[s.Metric.Aggregation].repeats(b) }

// restates reports whether the next point of a series includes or replaces this one. With cumulative temporality this is true for
// all series except sets and summaries.
func (b *Builder) restates(s *series.Series) bool {
	return b.Cumulative && !emitters[s.Metric.Aggregation].perInterval
}

// begin starts the batches of a flush. now is the end of their points' interval. finish is called for each complete batch.
func (b *Builder) begin(now time.Time, finish func(Batch) offer) {
	b.now, b.open = now, openBatches{finish: finish}
}

// end returns the batches. None of them is empty.
func (b *Builder) end() []offer {
	offers := b.open.finished()
	b.open = openBatches{}
	return offers
}

// add adds the point of a series. Points of delta counters, delta distributions and summaries start at the end of the point
// before, and add starts the next interval of their series.
func (b *Builder) add(s *series.Series) {
	restated := b.restates(s)
	attributes(emitters[s.Metric.Aggregation].point(b, b.metric(s, restated), s), s)
	if !restated {
		s.Clear()
		s.Start = b.now
	}
}

// addTimed adds a point with a time of its own, to a sum or a gauge. The point has no start time.
func (b *Builder) addTimed(t *series.TimedPoint) {
	m := b.metric(t.Series, false)
	var p pmetric.NumberDataPoint
	if t.Series.Metric.Aggregation == series.Sum {
		p = m.Sum().DataPoints().AppendEmpty()
		b.setSum(p, t.Whole, t.Real)
	} else {
		p = m.Gauge().DataPoints().AppendEmpty()
		p.SetDoubleValue(t.Real)
	}
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Unix(0, t.Time)))
	attributes(p.Attributes(), t.Series)
}

func (b *Builder) metric(s *series.Series, restated bool) pmetric.Metric {
	batch := b.open.batch(b, batchKey{s.Origin, restated})
	if batch.lastOf == s.Metric {
		return batch.last
	}
	m, ok := batch.metrics[s.Metric]
	if !ok {
		m = b.newMetric(batch, s.Metric)
	}
	batch.lastOf, batch.last = s.Metric, m
	return m
}

func (b *Builder) newMetric(batch *openBatch, from *series.Metric) pmetric.Metric {
	m := batch.scope.Metrics().AppendEmpty()
	m.SetName(from.Name)
	if from.Kind == line.Timer {
		m.SetUnit(b.TimerUnit)
	}
	emitters[from.Aggregation].data(b, m, from)
	batch.metrics[from] = m
	return m
}

func attributes(to pcommon.Map, s *series.Series) {
	if s.Overflow {
		to.PutBool(series.OverflowKey, true)
		return
	}
	to.EnsureCapacity(s.TagCount())
	for tag := range s.Tags {
		to.PutStr(tag.Key, tag.Value)
	}
}
