package bench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// longAgo is before all times that a receiver sets. An earlier time is the sender's.
var longAgo = time.Now().Add(-time.Hour)

// lines returns a batch as text, one line per point. It omits the times that the receiver sets, the scope, and the
// attribute with the sender's address.
func lines(md batch) (all []string) {
	for _, rm := range md.ResourceMetrics().All() {
		rm.Resource().Attributes().Remove("client.address")
		resource := attributes(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, p := range points(m) {
					line := strings.Trim(strconv.Quote(m.Name()), `"`) + p
					if m.Unit() != "" {
						line += " unit " + m.Unit()
					}
					if resource != "{}" {
						line += " of " + resource
					}
					if md.client != "" {
						line += " from " + md.client
					}
					all = append(all, line+"\n")
				}
			}
		}
	}
	return all
}

func points(m pmetric.Metric) (all []string) {
	point := func(attrs pcommon.Map, at pcommon.Timestamp, format string, args ...any) {
		line := attributes(attrs) + " " + fmt.Sprintf(format, args...)
		if at.AsTime().Before(longAgo) {
			line += fmt.Sprintf(" at %d", at.AsTime().Unix())
		}
		all = append(all, line)
	}
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			point(p.Attributes(), p.Timestamp(), "sum %s %s monotonic %t", number(p), m.Sum().AggregationTemporality(), m.Sum().IsMonotonic())
		}
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			point(p.Attributes(), p.Timestamp(), "gauge %s", number(p))
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			quantiles := ""
			for _, q := range p.QuantileValues().All() {
				quantiles += fmt.Sprintf(" %v=%v", q.Quantile(), q.Value())
			}
			point(p.Attributes(), p.Timestamp(), "summary count %d sum %v%s", p.Count(), p.Sum(), quantiles)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			point(p.Attributes(), p.Timestamp(), "histogram %s count %d sum %v min %v max %v bounds %v counts %v",
				m.Histogram().AggregationTemporality(), p.Count(), p.Sum(), p.Min(), p.Max(), p.ExplicitBounds().AsRaw(), p.BucketCounts().AsRaw())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			point(p.Attributes(), p.Timestamp(), "exponential %s count %d sum %v min %v max %v scale %d zero %d positive %s negative %s",
				m.ExponentialHistogram().AggregationTemporality(), p.Count(), p.Sum(), p.Min(), p.Max(), p.Scale(), p.ZeroCount(),
				buckets(p.Positive()), buckets(p.Negative()))
		}
	case pmetric.MetricTypeEmpty:
		all = append(all, " empty")
	}
	return all
}

func number(p pmetric.NumberDataPoint) string {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return fmt.Sprintf("int %d", p.IntValue())
	}
	return fmt.Sprintf("double %v", p.DoubleValue())
}

// buckets returns the occupied buckets with their indexes.
func buckets(b pmetric.ExponentialHistogramDataPointBuckets) string {
	var occupied []string
	for i, n := range b.BucketCounts().All() {
		if n > 0 {
			occupied = append(occupied, fmt.Sprintf("%d:%d", int(b.Offset())+i, n))
		}
	}
	return "[" + strings.Join(occupied, " ") + "]"
}

func attributes(m pcommon.Map) string {
	raw := m.AsRaw()
	var all []string
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		all = append(all, fmt.Sprintf("%s=%q", key, raw[key]))
	}
	return "{" + strings.Join(all, " ") + "}"
}
