package flush

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Builder makes the batches of one flush: one for each origin, each of one resource
// and one scope with a metric for each name and kind.
type Builder struct {
	Resource     pcommon.Resource // copied into each batch; an origin's attributes replace its own
	ScopeName    string
	ScopeVersion string
	Cumulative   bool
	IntCounters  bool
	ResendGauges bool // repeat a gauge without new values
	TimerUnit    string

	open origins
	now  time.Time
}

// Repeats reports whether a series has a point in a flush without new values.
func (b *Builder) Repeats(s *series.Series) bool { return emitters[s.Metric.Aggregation].repeats(b) }

// Restates reports whether the next point of a series says again what this one says.
func (b *Builder) Restates(s *series.Series) bool {
	return b.Cumulative && !emitters[s.Metric.Aggregation].ofInterval
}

// begin starts batches of points that end now.
func (b *Builder) begin(now time.Time) { b.now, b.open = now, origins{} }

// end returns the batches, none of them empty.
func (b *Builder) end() []offer {
	offers := b.open.offers()
	b.open = origins{}
	return offers
}

// Add adds the point of a series. Points of delta counters and distributions, and of
// summaries, begin where the one before ended, and begin the series' next interval.
func (b *Builder) Add(s *series.Series) {
	restated := b.Restates(s)
	attributes(emitters[s.Metric.Aggregation].point(b, b.metric(s, restated), s), s)
	if !restated {
		s.Clear()
		s.Last = b.now
	}
}

// AddTimed adds a point, of a sum or a gauge, that stands apart from its series: it
// has a time of its own and no start.
func (b *Builder) AddTimed(t *series.TimedPoint) {
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
	if m, ok := batch.metrics[s.Metric]; ok {
		return m
	}
	m := batch.scope.Metrics().AppendEmpty()
	m.SetName(s.Metric.Name)
	if s.Metric.Kind == line.Timer {
		m.SetUnit(b.TimerUnit)
	}
	emitters[s.Metric.Aggregation].data(b, m, s.Metric)
	batch.metrics[s.Metric] = m
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
