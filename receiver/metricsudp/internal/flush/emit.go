package flush

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/floats"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// emitter makes the points of an aggregation.
type emitter struct {
	// data sets the type of an empty metric.
	data func(b *Builder, m pmetric.Metric, metric *series.Metric)
	// point adds the point of a series and returns the point's attributes.
	point func(b *Builder, m pmetric.Metric, s *series.Series) pcommon.Map
	// repeats reports whether a series has a point in an interval without new values.
	repeats func(b *Builder) bool
	// perInterval is true if a point has the values of one interval, even with cumulative temporality.
	perInterval bool
}

var emitters = [series.Aggregations]emitter{
	series.Sum: {
		data: func(b *Builder, m pmetric.Metric, metric *series.Metric) {
			sum := m.SetEmptySum()
			sum.SetAggregationTemporality(b.temporality())
			sum.SetIsMonotonic(metric.Monotonic)
		},
		point: func(b *Builder, m pmetric.Metric, s *series.Series) pcommon.Map {
			p := m.Sum().DataPoints().AppendEmpty()
			p.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Start))
			p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
			whole, real := s.Value().(*series.SumValue).Sum()
			b.setSum(p, whole, real)
			return p.Attributes()
		},
		repeats: func(b *Builder) bool { return b.Cumulative },
	},
	series.Last: {
		data: emptyGauge,
		point: func(b *Builder, m pmetric.Metric, s *series.Series) pcommon.Map {
			p := m.Gauge().DataPoints().AppendEmpty()
			p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
			p.SetDoubleValue(s.Value().(*series.LastValue).Gauge)
			return p.Attributes()
		},
		repeats: func(b *Builder) bool { return b.ResendGauges },
	},
	series.Unique: {
		data: emptyGauge,
		point: func(b *Builder, m pmetric.Metric, s *series.Series) pcommon.Map {
			p := m.Gauge().DataPoints().AppendEmpty()
			p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
			p.SetIntValue(s.Value().(*series.UniqueValue).Members())
			return p.Attributes()
		},
		repeats:     func(*Builder) bool { return false },
		perInterval: true,
	},
	series.Distribution: {
		data: func(b *Builder, m pmetric.Metric, _ *series.Metric) {
			m.SetEmptyExponentialHistogram().SetAggregationTemporality(b.temporality())
		},
		point: func(b *Builder, m pmetric.Metric, s *series.Series) pcommon.Map {
			p := m.ExponentialHistogram().DataPoints().AppendEmpty()
			p.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Start))
			p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
			if h := s.Value().(*series.DistributionValue).Histogram(); h != nil {
				distribution(p, h)
			}
			return p.Attributes()
		},
		repeats: func(b *Builder) bool { return b.Cumulative },
	},
	series.Explicit: {
		data: func(b *Builder, m pmetric.Metric, _ *series.Metric) {
			m.SetEmptyHistogram().SetAggregationTemporality(b.temporality())
		},
		point: func(b *Builder, m pmetric.Metric, s *series.Series) pcommon.Map {
			p := m.Histogram().DataPoints().AppendEmpty()
			p.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Start))
			p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
			if h := s.Value().(*series.ExplicitValue).Histogram(); h != nil {
				explicit(p, h)
			}
			return p.Attributes()
		},
		repeats: func(b *Builder) bool { return b.Cumulative },
	},
	series.Summary: {
		data: func(_ *Builder, m pmetric.Metric, _ *series.Metric) { m.SetEmptySummary() },
		point: func(b *Builder, m pmetric.Metric, s *series.Series) pcommon.Map {
			p := m.Summary().DataPoints().AppendEmpty()
			p.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Start))
			p.SetTimestamp(pcommon.NewTimestampFromTime(b.now))
			summary(p, s.Value().(*series.SummaryValue))
			return p.Attributes()
		},
		repeats:     func(*Builder) bool { return false },
		perInterval: true,
	},
	// point is nil, because all values of Each are timed points, which addTimed adds.
	series.Each: {data: emptyGauge, repeats: func(*Builder) bool { return false }},
}

func emptyGauge(_ *Builder, m pmetric.Metric, _ *series.Metric) { m.SetEmptyGauge() }

func (b *Builder) temporality() pmetric.AggregationTemporality {
	if b.Cumulative {
		return pmetric.AggregationTemporalityCumulative
	}
	return pmetric.AggregationTemporalityDelta
}

func (b *Builder) setSum(p pmetric.NumberDataPoint, whole int64, real float64) {
	if b.IntCounters {
		p.SetIntValue(whole)
	} else {
		p.SetDoubleValue(real)
	}
}

func distribution(p pmetric.ExponentialHistogramDataPoint, h *expo.Histogram) {
	histpoint.StoreExponential(p, h)
	if h.Count > 0 {
		p.SetSum(floats.Clamp(h.Sum)) // values up to 1e290 could in theory add up to infinity
		p.SetMin(h.Min)
		p.SetMax(h.Max)
	}
}

func explicit(p pmetric.HistogramDataPoint, h *series.ExplicitHistogram) {
	histpoint.StoreExplicit(p, &histpoint.Explicit{Bounds: h.Bounds, Counts: h.Counts, Count: h.Count})
	if h.Count > 0 {
		p.SetSum(floats.Clamp(h.Sum))
		p.SetMin(h.Min)
		p.SetMax(h.Max)
	}
}

func summary(p pmetric.SummaryDataPoint, v *series.SummaryValue) {
	count, sum := v.Totals()
	p.SetCount(count)
	p.SetSum(floats.Clamp(sum))
	for q, value := range v.Quantiles {
		to := p.QuantileValues().AppendEmpty()
		to.SetQuantile(q)
		to.SetValue(value)
	}
}
