package cardinalitylimit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// reader is downstream. It adds up the points as the data model requires.
type reader struct {
	t     *testing.T
	total map[string]totals // by metric
	last  map[string]view
}

type view struct {
	start, time pcommon.Timestamp
	value       totals
}

func (r *reader) read(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				r.metric(rm.Resource(), m)
			}
		}
	}
}

func (r *reader) metric(res pcommon.Resource, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			var v totals
			v[1] = float64(p.IntValue())
			r.point(res, m, m.Sum().AggregationTemporality(), p.Attributes(), p.StartTimestamp(), p.Timestamp(), v)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			v := totals{float64(p.Count()), p.Sum()}
			for i, n := range p.BucketCounts().All() {
				v[2+i] = float64(n)
			}
			r.point(res, m, m.Histogram().AggregationTemporality(), p.Attributes(), p.StartTimestamp(), p.Timestamp(), v)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			total := p.ZeroCount()
			for _, n := range p.Positive().BucketCounts().All() {
				total += n
			}
			require.Equal(r.t, p.Count(), total, "buckets add up to the count")
			r.point(res, m, m.ExponentialHistogram().AggregationTemporality(), p.Attributes(), p.StartTimestamp(), p.Timestamp(),
				totals{float64(p.Count()), p.Sum()})
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			r.point(res, m, cumulative, p.Attributes(), p.StartTimestamp(), p.Timestamp(), totals{float64(p.Count()), p.Sum()})
		}
	}
}

func (r *reader) point(
	res pcommon.Resource, m pmetric.Metric, temporality pmetric.AggregationTemporality,
	attributes pcommon.Map, start, at pcommon.Timestamp, v totals,
) {
	_, overflow := attributes.Get("otel.metric.overflow")
	id := fmt.Sprint(m.Name(), res.Attributes().AsRaw(), attributes.AsRaw())
	last, seen := r.last[id]
	grown := v
	if overflow {
		require.Less(r.t, start, at)
	}
	switch {
	case !seen:
	case temporality == delta:
		if overflow {
			require.Equal(r.t, last.time, start, "intervals touch")
		}
	case overflow:
		require.Equal(r.t, last.start, start, "never reset by us")
		require.Greater(r.t, at, last.time)
		require.Falsef(r.t, v.decreased(last.value), "%s: %v after %v", id, v, last.value)
		grown = v.minus(last.value)
	case start == last.start && !v.decreased(last.value):
		grown = v.minus(last.value)
	}
	r.last[id] = view{start, at, v}
	t := r.total[m.Name()]
	t.plus(grown)
	r.total[m.Name()] = t
}

func newReader(t *testing.T) *reader {
	return &reader{t: t, total: map[string]totals{}, last: map[string]view{}}
}
