package fold

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// builder arranges outgoing points by resource, scope and metric.
type builder struct {
	md      pmetric.Metrics
	scopes  map[uint64]pmetric.ScopeMetrics
	metrics map[[2]uint64]pmetric.Metric
}

func newBuilder() *builder {
	return &builder{
		md:      pmetric.NewMetrics(),
		scopes:  make(map[uint64]pmetric.ScopeMetrics),
		metrics: make(map[[2]uint64]pmetric.Metric),
	}
}

func (b *builder) metric(s *Series) pmetric.Metric {
	id := [2]uint64{s.Group, s.Metric}
	if m, ok := b.metrics[id]; ok {
		return m
	}
	sm, ok := b.scopes[s.Group]
	if !ok {
		rm := b.md.ResourceMetrics().AppendEmpty()
		s.Resource.CopyTo(rm.Resource())
		sm = rm.ScopeMetrics().AppendEmpty()
		s.Scope.CopyTo(sm.Scope())
		b.scopes[s.Group] = sm
	}
	m := sm.Metrics().AppendEmpty()
	m.SetName(s.Name)
	m.SetDescription(s.Description)
	m.SetUnit(s.Unit)
	switch s.Type {
	case pmetric.MetricTypeGauge:
		m.SetEmptyGauge()
	case pmetric.MetricTypeSum:
		m.SetEmptySum().SetAggregationTemporality(s.Temporality)
		m.Sum().SetIsMonotonic(s.Monotonic)
	case pmetric.MetricTypeHistogram:
		m.SetEmptyHistogram().SetAggregationTemporality(s.Temporality)
	case pmetric.MetricTypeExponentialHistogram:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(s.Temporality)
	case pmetric.MetricTypeSummary:
		m.SetEmptySummary()
	}
	b.metrics[id] = m
	return m
}

// point contains the common methods of all types of datapoints.
type point interface {
	Attributes() pcommon.Map
	SetStartTimestamp(pcommon.Timestamp)
	SetTimestamp(pcommon.Timestamp)
}

// add appends the outgoing point of k. It only reads the value, because a cut may read the value, too.
func (b *builder) add(k *outgoing) {
	a := k.from
	m := b.metric(&a.series)
	v := Value{k.value}
	var p point
	switch a.series.Type {
	case pmetric.MetricTypeGauge:
		dp := m.Gauge().DataPoints().AppendEmpty()
		WriteNumber(v, dp)
		k.exemplars.appendTo(dp.Exemplars())
		p = dp
	case pmetric.MetricTypeSum:
		dp := m.Sum().DataPoints().AppendEmpty()
		WriteNumber(v, dp)
		k.exemplars.appendTo(dp.Exemplars())
		p = dp
	case pmetric.MetricTypeHistogram:
		dp := m.Histogram().DataPoints().AppendEmpty()
		WriteHistogram(v, dp)
		k.exemplars.appendTo(dp.Exemplars())
		if a.method == addGrowth { // the growth covers only a part of each stream's life
			dp.RemoveMin()
			dp.RemoveMax()
		}
		p = dp
	case pmetric.MetricTypeExponentialHistogram:
		dp := m.ExponentialHistogram().DataPoints().AppendEmpty()
		WriteExponential(v, dp)
		k.exemplars.appendTo(dp.Exemplars())
		if a.method == addGrowth {
			dp.RemoveMin()
			dp.RemoveMax()
		}
		p = dp
	default:
		dp := m.Summary().DataPoints().AppendEmpty()
		WriteSummary(v, dp)
		p = dp
	}
	a.series.Attributes.CopyTo(p.Attributes())
	if a.series.Type != pmetric.MetricTypeGauge {
		p.SetStartTimestamp(pcommon.Timestamp(k.start))
	}
	p.SetTimestamp(pcommon.Timestamp(k.time))
}
