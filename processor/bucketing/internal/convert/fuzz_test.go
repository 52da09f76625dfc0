package convert_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// FuzzMetric converts any metric that OTLP can represent by every rule, with and without state, twice. Conversions end, and
// the buckets of converted points add up.
func FuzzMetric(f *testing.F) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 20 {
		md := pmetric.NewMetrics()
		metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
		temporality := pmetric.AggregationTemporality(rng.IntN(3))
		explicit, exponential := metrics.AppendEmpty().SetEmptyHistogram(), metrics.AppendEmpty().SetEmptyExponentialHistogram()
		explicit.SetAggregationTemporality(temporality)
		exponential.SetAggregationTemporality(temporality)
		for i := range 2 {
			a, b := explicit.DataPoints().AppendEmpty(), exponential.DataPoints().AppendEmpty()
			fill(rng, a, i)
			fill(rng, b, i)
			randomExplicit(rng, a)
			randomExponential(rng, b)
		}
		metrics.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(rng.NormFloat64())
		data, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(data)
		if err != nil {
			return
		}
		for _, rule := range rules() {
			through(t, rule, md)
			rule.Streams = convert.NewStreams(8)
			through(t, rule, md)
			rule.Streams, rule.OnViolation = convert.NewStreams(8), convert.Hold
			through(t, rule, md)
		}
	})
}

func through(t *testing.T, rule *convert.Rule, md pmetric.Metrics) {
	c, report := convert.New(convert.NewPlans(4)), newReport()
	for range 2 {
		report.Reset(len(rules()))
		var wrong int64
		from := pmetric.NewMetrics()
		md.CopyTo(from)
		for _, rm := range from.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				metrics := sm.Metrics()
				for i := range metrics.Len() {
					m := metrics.At(i)
					if m.Type() != pmetric.MetricTypeGauge || rule.Limit == nil {
						c.Metric(m, metrics, &convert.Origin{Resource: rm.Resource(), Scope: sm.Scope()}, rule, report)
					}
				}
				for _, m := range metrics.All() {
					wrong += wrongPoints(m)
				}
			}
		}
		var passed int64
		for _, n := range report.Passed {
			passed += n
		}
		require.LessOrEqual(t, wrong, passed)
	}
}

// wrongPoints returns the number of points whose buckets do not add up to their count or are impossible.
func wrongPoints(m pmetric.Metric) (n int64) {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		var h histpoint.Explicit
		for _, p := range m.Histogram().DataPoints().All() {
			if _, err := histpoint.LoadExplicit(&h, p); err != nil {
				n++
			}
		}
	case pmetric.MetricTypeExponentialHistogram:
		h := new(expo.Histogram)
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			if histpoint.LoadExponential(h, p) != nil {
				n++
			}
		}
	}
	return n
}
