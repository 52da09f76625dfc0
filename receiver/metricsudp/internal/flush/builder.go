package flush

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Builder makes one batch at a time: one resource, one scope, a metric for each
// name and kind.
type Builder struct {
	Resource     pcommon.Resource // copied into each batch
	ScopeName    string
	ScopeVersion string
	Cumulative   bool
	Monotonic    bool // counters
	IntCounters  bool
	ResendGauges bool // repeat a gauge without new values

	batch   pmetric.Metrics
	scope   pmetric.ScopeMetrics
	metrics map[*series.Metric]pmetric.Metric
	now     time.Time
}

// Repeats tells whether a series without new values has a point all the same.
func (b *Builder) Repeats(s *series.Series) bool {
	switch s.Metric.Kind {
	case line.Gauge:
		return b.ResendGauges
	case line.Set:
		return false
	}
	return b.Cumulative
}

// Begin starts a batch of points that end now.
func (b *Builder) Begin(now time.Time) {
	b.now = now
	b.batch = pmetric.NewMetrics()
	rm := b.batch.ResourceMetrics().AppendEmpty()
	b.Resource.CopyTo(rm.Resource())
	b.scope = rm.ScopeMetrics().AppendEmpty()
	b.scope.Scope().SetName(b.ScopeName)
	b.scope.Scope().SetVersion(b.ScopeVersion)
	b.metrics = map[*series.Metric]pmetric.Metric{}
}

// End returns the batch.
func (b *Builder) End() pmetric.Metrics {
	batch := b.batch
	b.batch, b.scope, b.metrics = pmetric.Metrics{}, pmetric.ScopeMetrics{}, nil
	return batch
}

// Add adds the point of a series. Points of delta counters and distributions begin
// where the one before ended, and begin the series' next interval.
func (b *Builder) Add(s *series.Series) {
	m := b.metric(s.Metric)
	switch s.Metric.Kind {
	case line.Counter:
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Last))
		p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
		whole, real := s.Counter()
		if b.IntCounters {
			p.SetIntValue(whole)
		} else {
			p.SetDoubleValue(real)
		}
		attributes(p.Attributes(), s)
	case line.Gauge:
		p := m.Gauge().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
		p.SetDoubleValue(s.Gauge)
		attributes(p.Attributes(), s)
	case line.Set:
		p := m.Gauge().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
		p.SetIntValue(s.Members())
		attributes(p.Attributes(), s)
		s.Clear() // of an interval, whatever the temporality
	case line.Timer, line.Histogram, line.Distribution:
		p := m.ExponentialHistogram().DataPoints().AppendEmpty()
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Last))
		p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
		distribution(p, s.Distribution())
		attributes(p.Attributes(), s)
	}
	if !b.Cumulative {
		s.Clear()
		s.Last = b.now
	}
}

// AddTimed adds a point that stands apart from its series: it has the sender's
// time and no start.
func (b *Builder) AddTimed(t *series.TimedPoint) {
	m := b.metric(t.Series.Metric)
	at := pcommon.NewTimestampFromTime(time.Unix(t.Seconds, 0))
	if t.Series.Metric.Kind == line.Counter {
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		if b.IntCounters {
			p.SetIntValue(t.Whole)
		} else {
			p.SetDoubleValue(t.Real)
		}
		attributes(p.Attributes(), t.Series)
		return
	}
	p := m.Gauge().DataPoints().AppendEmpty()
	p.SetTimestamp(at)
	p.SetDoubleValue(t.Real)
	attributes(p.Attributes(), t.Series)
}

func (b *Builder) metric(of *series.Metric) pmetric.Metric {
	if m, ok := b.metrics[of]; ok {
		return m
	}
	m := b.scope.Metrics().AppendEmpty()
	m.SetName(of.Name)
	temporality := pmetric.AggregationTemporalityDelta
	if b.Cumulative {
		temporality = pmetric.AggregationTemporalityCumulative
	}
	switch of.Kind {
	case line.Counter:
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(temporality)
		sum.SetIsMonotonic(b.Monotonic)
	case line.Gauge, line.Set:
		m.SetEmptyGauge()
	case line.Timer:
		m.SetUnit("ms") // by the protocol
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
	case line.Histogram, line.Distribution:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
	}
	b.metrics[of] = m
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

func distribution(p pmetric.ExponentialHistogramDataPoint, h *expo.Histogram) {
	p.SetScale(h.Scale)
	p.SetCount(h.Count)
	p.SetZeroCount(h.ZeroCount)
	p.SetZeroThreshold(h.ZeroThreshold)
	if h.Count > 0 {
		p.SetSum(math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, h.Sum)))
		p.SetMin(h.Min)
		p.SetMax(h.Max)
	}
	buckets(p.Positive(), &h.Positive)
	buckets(p.Negative(), &h.Negative)
}

func buckets(to pmetric.ExponentialHistogramDataPointBuckets, from *expo.Buckets) {
	if len(from.Counts) > 0 {
		to.SetOffset(from.Offset)
		to.BucketCounts().FromRaw(from.Counts)
	}
}
