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
	Monotonic    bool // counters
	IntCounters  bool
	ResendGauges bool // repeat a gauge without new values
	TimerUnit    string

	open origins
	now  time.Time
}

// Repeats tells whether a series without new values has a point all the same.
func (b *Builder) Repeats(s *series.Series) bool { return emitters[s.Metric.Aggregation].repeats(b) }

// Begin starts batches of points that end now.
func (b *Builder) Begin(now time.Time) { b.now, b.open = now, origins{} }

// End returns the batches, none of them empty.
func (b *Builder) End() []Batch {
	batches := b.open.batches()
	b.open = origins{}
	return batches
}

// Add adds the point of a series. Points of delta counters and distributions, and of
// summaries, begin where the one before ended, and begin the series' next interval.
func (b *Builder) Add(s *series.Series) {
	e := &emitters[s.Metric.Aggregation]
	attributes(e.point(b, b.metric(s), s), s)
	if !b.Cumulative || e.ofInterval {
		s.Clear()
		s.Last = b.now
	}
}

// AddTimed adds a point, of a sum or a gauge, that stands apart from its series: it
// has a time of its own and no start.
func (b *Builder) AddTimed(t *series.TimedPoint) {
	m := b.metric(t.Series)
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

func (b *Builder) metric(s *series.Series) pmetric.Metric {
	in, of := b.open.batch(b, s.Origin), s.Metric
	if m, ok := in.metrics[of]; ok {
		return m
	}
	m := in.scope.Metrics().AppendEmpty()
	m.SetName(of.Name)
	if of.Kind == line.Timer {
		m.SetUnit(b.TimerUnit)
	}
	emitters[of.Aggregation].data(b, m)
	in.metrics[of] = m
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
