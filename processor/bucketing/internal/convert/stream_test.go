package convert_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// export is one point of a stream before conversion.
type export struct {
	scale     int32
	threshold float64
	bounds    []float64 // makes it an explicit point
	start     pcommon.Timestamp
	route     string
	resource  string
	delta     bool
	negative  uint64 // count of a negative bucket
}

func (e export) metric() (metrics pmetric.MetricSlice, m pmetric.Metric, o *convert.Origin) {
	metrics, m = newMetrics()
	temporality := pmetric.AggregationTemporalityCumulative
	if e.delta {
		temporality = pmetric.AggregationTemporalityDelta
	}
	if e.bounds != nil {
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		dp := explicitPoint(h, e.bounds, make([]uint64, len(e.bounds)+1)...)
		dp.SetStartTimestamp(e.start)
		dp.Attributes().PutStr("route", e.route)
	} else {
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(temporality)
		dp := exponentialPoint(h, e.scale, 0, 1, 2, 3)
		dp.SetZeroThreshold(e.threshold)
		if e.negative > 0 {
			dp.Negative().BucketCounts().FromRaw([]uint64{e.negative})
			dp.SetCount(dp.Count() + e.negative)
		}
		dp.SetStartTimestamp(e.start)
		dp.Attributes().PutStr("route", e.route)
	}
	o = newOrigin()
	o.Resource.Attributes().PutStr("host", e.resource)
	return metrics, m, o
}

// A violation is counted for the point at which a stream's split changes. It is not counted for the points after it, for
// other streams, or for a restart.
func TestViolations(t *testing.T) {
	toOdd, toPowers := explicitTarget([]float64{1.5, 3}), explicitTarget([]float64{1, 2, 4})
	toExponential, toZero := exponentialTarget(3, 160, 0), explicitTarget([]float64{0, 1.5, 3})
	none := [convert.Actions][convert.Violations]int64{}
	one := func(v convert.Violation) (n [convert.Actions][convert.Violations]int64) {
		n[convert.Reset][v] = 1
		return n
	}
	for _, tt := range []struct {
		name    string
		rule    *convert.Rule
		exports []export
		want    [convert.Actions][convert.Violations]int64
	}{
		{"a scale that falls to the working scale", toOdd, []export{{scale: 20}, {scale: 9}, {scale: 2}}, none},
		{"below it", toOdd, []export{{scale: 9}, {scale: 1}, {scale: 1}}, one(convert.ScaleChanged)},
		{"below it from the start", toOdd, []export{{scale: 1}, {scale: 1}}, none},
		{"and rises with a stream begun anew", toOdd, []export{{scale: 1}, {scale: 9}}, none},
		{"below it, with another start", toOdd, []export{{scale: 9, start: 1}, {scale: 1, start: 2}}, none},
		{"below it, another stream", toOdd, []export{{scale: 9}, {scale: 1, route: "/b"}}, none},
		{"below it, another resource", toOdd, []export{{scale: 9}, {scale: 1, resource: "b"}}, none},
		{"below it, delta", toOdd, []export{{scale: 9, delta: true}, {scale: 1, delta: true}}, none},
		{"below it, to bounds that every scale shares", toPowers, []export{{scale: 9}, {scale: 0}}, none},
		{"below where they are shared", toPowers, []export{{scale: 9}, {scale: -1}}, one(convert.ScaleChanged)},
		{"zero threshold", toOdd, []export{{scale: 3}, {scale: 3, threshold: 1}, {scale: 3, threshold: 1}}, one(convert.ZeroThresholdChanged)},
		{"a threshold that falls with a stream begun anew", toOdd, []export{{scale: 3, threshold: 1}, {scale: 3}}, none},
		{"first negative observation, zero bucket not cut", toOdd, []export{{scale: 3, threshold: 1}, {scale: 3, threshold: 1, negative: 2}}, none},
		{"first negative observation", toZero, []export{{scale: 3, threshold: 1}, {scale: 3, threshold: 1, negative: 2}, {scale: 3, threshold: 1, negative: 3}}, one(convert.ZeroSideChanged)},
		{"an open end that was placed", explicitTarget([]float64{1, 3, 10}), []export{{bounds: []float64{1, 2}}, {bounds: []float64{1.5, 3}}}, one(convert.BoundsChanged)},
		{"bounds", toOdd, []export{{bounds: []float64{1, 2, 4}}, {bounds: []float64{1, 2, 5}}, {bounds: []float64{1, 2, 5}}}, one(convert.BoundsChanged)},
		{"bounds, zero with either sign", toOdd, []export{{bounds: []float64{0, 2, 4}}, {bounds: []float64{math.Copysign(0, -1), 2, 4}}}, none},
		{"zero threshold, zero with either sign", toOdd, []export{{scale: 3}, {scale: 3, threshold: math.Copysign(0, -1)}}, none},
		{"bounds that go on", toOdd, []export{{bounds: []float64{1, 2, 4}}, {bounds: []float64{1, 2, 4}}}, none},
		{"bounds, merged before and after", toPowers, []export{{bounds: []float64{1, 2, 4}}, {bounds: []float64{1, 2, 4, 8}}}, none},
		{"bounds, merged before", toPowers, []export{{bounds: []float64{1, 2, 4}}, {bounds: []float64{1, 3, 4}}}, one(convert.BoundsChanged)},
		{"bounds, to an exponential layout that they give", toExponential, []export{{bounds: []float64{1, 2}}, {bounds: []float64{1, 2, 4}}}, one(convert.BoundsChanged)},
		{"bounds, to a limit that they give", &convert.Rule{Limit: &convert.Limit{MaxBuckets: 9}}, []export{{bounds: []float64{1, 2}}, {bounds: []float64{1, 2, 4}}}, one(convert.BoundsChanged)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, report := convert.New(convert.NewPlans(8)), new(convert.Report)
			report.Reset(1)
			for _, e := range tt.exports {
				metrics, m, origin := e.metric()
				c.Metric(m, metrics, origin, tt.rule, report)
				require.Empty(t, report.Passed[convert.Invalid])
			}
			require.Equal(t, tt.want, report.Violations)
		})
	}
}

// Without state a stream whose split changes gets a new start, which is the time of the point. With drop its points are
// dropped until the split is the former one again, or the stream restarts.
func TestStatelessOnViolation(t *testing.T) {
	exports := []export{{scale: 9, start: 1}, {scale: 1, start: 1}, {scale: 1, start: 1}, {scale: 0, start: 1}, {scale: 9, start: 1}, {scale: 1, start: 7}}
	for action, want := range map[convert.Action][]pcommon.Timestamp{
		convert.Reset: {1, 101, 101, 103, 1, 7},
		convert.Drop:  {1, 1, 7}, // the first point, the one with its scale, and the restart
	} {
		rule := explicitTarget([]float64{1.5, 3})
		rule.OnViolation = action
		c, report := convert.New(convert.NewPlans(8)), new(convert.Report)
		report.Reset(1)
		var got []pcommon.Timestamp
		for i, e := range exports {
			metrics, m, origin := e.metric()
			m.ExponentialHistogram().DataPoints().At(0).SetTimestamp(pcommon.Timestamp(100 + i))
			c.Metric(m, metrics, origin, rule, report)
			if m.Type() == pmetric.MetricTypeHistogram {
				got = append(got, m.Histogram().DataPoints().At(0).StartTimestamp())
			}
		}
		require.Equal(t, want, got, action)
		require.EqualValues(t, map[convert.Action]int{convert.Reset: 2, convert.Drop: 3}[action], report.Violations[action][convert.ScaleChanged])
	}
}
