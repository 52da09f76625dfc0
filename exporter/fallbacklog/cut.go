package fallbacklog

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// itemRange counts items and reports for each whether it is outside [from, to).
type itemRange struct{ next, from, to int }

func (b *itemRange) outside() bool {
	n := b.next
	b.next++
	return n < b.from || n >= b.to
}

// cutTraces removes all spans outside [from, to), and containers that are empty then.
func cutTraces(td ptrace.Traces, from, to int) {
	b := &itemRange{from: from, to: to}
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			ss.Spans().RemoveIf(func(ptrace.Span) bool { return b.outside() })
			return ss.Spans().Len() == 0
		})
		return rs.ScopeSpans().Len() == 0
	})
}

// cutLogs is cutTraces for log records.
func cutLogs(ld plog.Logs, from, to int) {
	b := &itemRange{from: from, to: to}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			sl.LogRecords().RemoveIf(func(plog.LogRecord) bool { return b.outside() })
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
}

// cutMetrics is cutTraces for data points.
func cutMetrics(md pmetric.Metrics, from, to int) {
	b := &itemRange{from: from, to: to}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return cutMetric(m, b) == 0 })
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
}

// cutMetric returns the number of points that remain.
func cutMetric(m pmetric.Metric, b *itemRange) int {
	number := func(points pmetric.NumberDataPointSlice) int {
		points.RemoveIf(func(pmetric.NumberDataPoint) bool { return b.outside() })
		return points.Len()
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return number(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		return number(m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		points := m.Histogram().DataPoints()
		points.RemoveIf(func(pmetric.HistogramDataPoint) bool { return b.outside() })
		return points.Len()
	case pmetric.MetricTypeExponentialHistogram:
		points := m.ExponentialHistogram().DataPoints()
		points.RemoveIf(func(pmetric.ExponentialHistogramDataPoint) bool { return b.outside() })
		return points.Len()
	case pmetric.MetricTypeSummary:
		points := m.Summary().DataPoints()
		points.RemoveIf(func(pmetric.SummaryDataPoint) bool { return b.outside() })
		return points.Len()
	case pmetric.MetricTypeEmpty:
	}
	return 0
}
