package convert_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// exported is an explicit point before or after the conversion. Its sum is 10 times its count. The bounds are 1 and 2, or
// 1 and 3 if wide. After the conversion, a point without counts is one that was dropped.
type exported struct {
	start, time pcommon.Timestamp
	counts      []uint64
	wide        bool
	sum         float64 // as emitted
	noMax       bool    // as emitted
}

func (p exported) write(dp pmetric.HistogramDataPoint) {
	bounds := []float64{1, 2}
	if p.wide {
		bounds[1] = 3
	}
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(p.counts)
	for _, n := range p.counts {
		dp.SetCount(dp.Count() + n)
	}
	dp.SetSum(10 * float64(dp.Count()))
	dp.SetMax(5)
	dp.SetStartTimestamp(p.start)
	dp.SetTimestamp(p.time)
}

// The table has the emitted points of stateful streams, converted to the bounds 1 and 2.
func TestStatefulStreams(t *testing.T) {
	type counts = []uint64
	for _, tt := range []struct {
		name      string
		on        convert.Action
		sent, got []exported
		violation convert.Violation
		n         int64
	}{
		{
			name: "goes on as it is",
			sent: []exported{{start: 1, time: 10, counts: counts{1, 2, 3}}, {start: 1, time: 20, counts: counts{1, 4, 3}}},
			got:  []exported{{start: 1, time: 10, counts: counts{1, 2, 3}, sum: 60}, {start: 1, time: 20, counts: counts{1, 4, 3}, sum: 80}},
		},
		{
			// 8 observations in (1, 3] are split at 2 by log(2)/log(3) = 0.63. When the bounds change back, the common layout
			// has one bucket above 1, so the increase goes to the target's highest bucket.
			name: "bounds that come and go",
			sent: []exported{{start: 1, time: 10, counts: counts{1, 8, 0}, wide: true}, {start: 1, time: 20, counts: counts{1, 2, 8}}, {start: 1, time: 30, counts: counts{1, 9, 8}}},
			got:  []exported{{start: 1, time: 10, counts: counts{1, 5, 3}, sum: 90}, {start: 1, time: 20, counts: counts{1, 5, 5}, sum: 110}, {start: 1, time: 30, counts: counts{1, 12, 5}, sum: 180}},
		},
		{
			name: "a new start",
			sent: []exported{{start: 1, time: 10, counts: counts{1, 8, 0}}, {start: 15, time: 20, counts: counts{1, 0, 0}}},
			got:  []exported{{start: 1, time: 10, counts: counts{1, 8, 0}, sum: 90}, {start: 15, time: 20, counts: counts{1, 0, 0}, sum: 10}},
		},
		{
			name: "the count falls without one",
			sent: []exported{{start: 1, time: 10, counts: counts{1, 8, 0}}, {start: 1, time: 20, counts: counts{2, 1, 0}}, {start: 1, time: 30, counts: counts{2, 1, 1}}},
			got:  []exported{{start: 1, time: 10, counts: counts{1, 8, 0}, sum: 90}, {start: 10, time: 20, counts: counts{2, 1, 0}, sum: 30}, {start: 10, time: 30, counts: counts{2, 1, 1}, sum: 40}},
			on:   convert.Reset, violation: convert.CountFell, n: 1,
		},
		{
			name: "sent twice",
			sent: []exported{{start: 1, time: 10, counts: counts{1, 8, 0}}, {start: 1, time: 10, counts: counts{1, 8, 0}}},
			got:  []exported{{start: 1, time: 10, counts: counts{1, 8, 0}, sum: 90}, {start: 1, time: 10, counts: counts{1, 8, 0}, sum: 90}},
		},
		{
			name: "late",
			sent: []exported{{start: 1, time: 20, counts: counts{1, 8, 0}}, {start: 1, time: 10, counts: counts{0, 7, 0}}, {start: 1, time: 30, counts: counts{1, 8, 1}}},
			got:  []exported{{start: 1, time: 20, counts: counts{1, 8, 0}, sum: 90}, {start: 1, time: 10, counts: counts{0, 7, 0}, sum: 70}, {start: 1, time: 30, counts: counts{1, 8, 1}, sum: 100}},
		},
		{
			name: "a bucket falls, reset", on: convert.Reset, violation: convert.BucketFell, n: 1,
			sent: []exported{{start: 1, time: 10, counts: counts{4, 8, 0}}, {start: 1, time: 20, counts: counts{3, 9, 3}}, {start: 1, time: 30, counts: counts{3, 10, 4}}},
			got:  []exported{{start: 1, time: 10, counts: counts{4, 8, 0}, sum: 120}, {start: 20, time: 20, counts: counts{0, 0, 0}, sum: 0, noMax: true}, {start: 20, time: 30, counts: counts{0, 1, 1}, sum: 20, noMax: true}},
		},
		{
			name: "a bucket falls, hold", on: convert.Hold, violation: convert.BucketFell, n: 2,
			sent: []exported{{start: 1, time: 10, counts: counts{4, 8, 0}}, {start: 1, time: 20, counts: counts{3, 9, 3}}, {start: 1, time: 30, counts: counts{3, 9, 4}}, {start: 1, time: 40, counts: counts{4, 9, 4}}},
			got:  []exported{{start: 1, time: 10, counts: counts{4, 8, 0}, sum: 120}, {start: 1, time: 20, counts: counts{4, 8, 0}, sum: 120}, {start: 1, time: 30, counts: counts{4, 8, 0}, sum: 120}, {start: 1, time: 40, counts: counts{4, 9, 4}, sum: 170}},
		},
		{
			name: "a bucket falls, drop", on: convert.Drop, violation: convert.BucketFell, n: 1,
			sent: []exported{{start: 1, time: 10, counts: counts{4, 8, 0}}, {start: 1, time: 20, counts: counts{3, 9, 3}}, {start: 1, time: 40, counts: counts{4, 9, 4}}},
			got:  []exported{{start: 1, time: 10, counts: counts{4, 8, 0}, sum: 120}, {}, {start: 1, time: 40, counts: counts{4, 9, 4}, sum: 170}},
		},
		{
			name: "bounds change after a reset", on: convert.Reset, violation: convert.BucketFell, n: 1,
			sent: []exported{{start: 1, time: 10, counts: counts{4, 8, 0}}, {start: 1, time: 20, counts: counts{3, 9, 3}}, {start: 1, time: 30, counts: counts{5, 10, 4}, wide: true}},
			got:  []exported{{start: 1, time: 10, counts: counts{4, 8, 0}, sum: 120}, {start: 20, time: 20, counts: counts{0, 0, 0}, noMax: true}, {start: 20, time: 30, counts: counts{2, 0, 2}, sum: 40, noMax: true}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := follow(stateful(explicitTarget([]float64{1, 2}), tt.on))
			for i, p := range tt.sent {
				m, want := f.explicit(p.write), tt.got[i]
				require.Equal(t, min(1, len(want.counts)), count(m), i)
				if count(m) == 0 {
					continue
				}
				dp := m.Histogram().DataPoints().At(0)
				require.Equal(t, want.counts, dp.BucketCounts().AsRaw(), i)
				require.Equal(t, total(m, 0), dp.Count(), i)
				require.InDelta(t, want.sum, dp.Sum(), 0, i)
				require.Equal(t, want.start, dp.StartTimestamp(), i)
				require.Equal(t, want.time, dp.Timestamp(), i)
				require.Equal(t, !want.noMax, dp.HasMax(), i)
			}
			want := [convert.Actions][convert.Violations]int64{}
			want[tt.on][tt.violation] = tt.n
			require.Equal(t, want, f.report.Violations)
		})
	}
}

// A stream whose layout has not changed is emitted as without state, so that losing the state in a restart has no effect.
func TestStatefulWithoutChangeIsStateless(t *testing.T) {
	bounds := []float64{-3, 0.3, 0.7, 1.1, 3, 5, 7, 33, 77}
	with, without := follow(stateful(explicitTarget(bounds), convert.Reset)), follow(explicitTarget(bounds))
	counts := make([]uint64, len(otel)+1)
	for i := range 500 {
		counts[i*7%len(counts)] += uint64(i % 3)
		write := func(dp pmetric.HistogramDataPoint) {
			dp.ExplicitBounds().FromRaw(otel)
			dp.BucketCounts().FromRaw(counts)
			for _, n := range counts {
				dp.SetCount(dp.Count() + n)
			}
		}
		require.Equal(t, wire(t, without.explicit(write)), wire(t, with.explicit(write)))
	}
}

// The scale or the zero threshold of a source shows that it restarted without a new start, although its counts have not
// fallen. The time of the previous point becomes the emitted start.
func TestStatefulRestart(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(pmetric.ExponentialHistogramDataPoint)
		shown  convert.Violation
		n      int64
	}{
		"scale rises":                                      {func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetScale(8) }, convert.ScaleChanged, 1},
		"threshold falls":                                  {func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetZeroThreshold(0.5) }, convert.ZeroThresholdChanged, 1},
		"threshold rises into a bucket":                    {func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetZeroThreshold(2.2) }, convert.ZeroThresholdChanged, 1},
		"threshold rises below a bucket":                   {func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetZeroThreshold(1.7) }, convert.ZeroThresholdChanged, 0},
		"threshold rises, seen at the scale of the source": {func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetZeroThreshold(1.45) }, convert.ZeroThresholdChanged, 0},
		"scale falls": {func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.SetScale(2)
			dp.Positive().SetOffset(4)
			dp.Positive().BucketCounts().FromRaw([]uint64{4, 5})
		}, convert.ScaleChanged, 0},
	} {
		rule := stateful(explicitTarget([]float64{0, 3, 9}), convert.Drop)
		rule.WorkingScale = 3
		if strings.HasSuffix(name, "scale of the source") {
			rule.WorkingScale = 2 // bucket 4 begins at 2; at the source's scale it ends at 1.54
		}
		f := follow(rule)
		write := func(start, time pcommon.Timestamp, more uint64) func(pmetric.ExponentialHistogramDataPoint) {
			return func(dp pmetric.ExponentialHistogramDataPoint) {
				dp.SetScale(3)
				dp.SetZeroThreshold(1)
				dp.Positive().SetOffset(8) // from 2 on
				dp.Positive().BucketCounts().FromRaw([]uint64{2, 2 + more})
				dp.SetCount(4 + more)
				dp.SetStartTimestamp(start)
				dp.SetTimestamp(time)
			}
		}
		f.exponential(write(1, 10, 0))
		m := f.exponential(func(dp pmetric.ExponentialHistogramDataPoint) {
			write(1, 20, 5)(dp)
			tt.change(dp)
		})
		require.Equal(t, 1, count(m), name)
		require.Equal(t, pcommon.Timestamp(1+9*tt.n), pointAt(m, 0).StartTimestamp(), name)
		require.Equal(t, uint64(9), total(m, 0), name)
		require.Equal(t, tt.n, f.report.Violations[convert.Reset][tt.shown], name)
	}
}

// The zero bucket of a stream is above zero until its first negative observation. From then on only the increase is placed
// on both sides.
func TestStatefulZeroSide(t *testing.T) {
	f := follow(stateful(explicitTarget([]float64{0, 5}), convert.Drop))
	export := func(zero, negative uint64) []uint64 {
		m := f.exponential(func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.SetScale(2)
			dp.SetZeroThreshold(1)
			dp.SetZeroCount(zero)
			if negative > 0 {
				dp.Negative().SetOffset(3)
				dp.Negative().BucketCounts().FromRaw([]uint64{negative})
			}
			dp.SetCount(zero + negative)
			dp.SetStartTimestamp(1)
		})
		return m.Histogram().DataPoints().At(0).BucketCounts().AsRaw()
	}
	require.Equal(t, []uint64{0, 100, 0}, export(100, 0))
	require.Equal(t, []uint64{10 + 1, 110, 0}, export(120, 1))
	require.Equal(t, []uint64{15 + 2, 115, 0}, export(130, 2))
	require.Equal(t, [convert.Actions][convert.Violations]int64{}, f.report.Violations)
}

// A positive bucket, a negative one, or the zero bucket of an exponential source decreases.
func TestStatefulExponentialViolation(t *testing.T) {
	for name, change := range map[string]func(pmetric.ExponentialHistogramDataPoint){
		"positive":      func(dp pmetric.ExponentialHistogramDataPoint) { dp.Positive().BucketCounts().SetAt(1, 1) },
		"positive gone": func(dp pmetric.ExponentialHistogramDataPoint) { dp.Positive().SetOffset(7) },
		"negative":      func(dp pmetric.ExponentialHistogramDataPoint) { dp.Negative().BucketCounts().SetAt(0, 1) },
		"zero":          func(dp pmetric.ExponentialHistogramDataPoint) { dp.SetZeroCount(1) },
		"scale too": func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.SetScale(1)
			dp.Positive().BucketCounts().FromRaw([]uint64{1, 1, 1})
		},
		"threshold too": func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.SetZeroThreshold(0.1)
			dp.SetZeroCount(1)
		},
	} {
		f := follow(stateful(explicitTarget(latency), convert.Drop))
		write := func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.SetScale(2)
			dp.Positive().BucketCounts().FromRaw([]uint64{2, 2, 2})
			dp.Negative().BucketCounts().FromRaw([]uint64{2})
			dp.SetZeroCount(2)
			dp.SetCount(10)
		}
		require.Equal(t, 1, count(f.exponential(write)), name)
		m := f.exponential(func(dp pmetric.ExponentialHistogramDataPoint) {
			write(dp)
			change(dp)
			dp.SetCount(20) // the other observations are in a far bucket
			have := dp.ZeroCount()
			for _, b := range []pmetric.ExponentialHistogramDataPointBuckets{dp.Positive(), dp.Negative()} {
				for _, n := range b.BucketCounts().All() {
					have += n
				}
			}
			dp.Positive().BucketCounts().Append(0, 0, 0, 0, 0, 20-have)
		})
		require.Zero(t, count(m), name)
		require.EqualValues(t, 1, f.report.Violations[convert.Drop][convert.BucketFell], name)
	}
}

// If there are too many streams, the first ones are forgotten and treated as new.
func TestStatefulIsBounded(t *testing.T) {
	rule := explicitTarget([]float64{1, 2})
	rule.Streams, rule.OnViolation = convert.NewStreams(64), convert.Drop
	f := follow(rule)
	send := func(stream int, counts ...uint64) int {
		return count(f.explicit(func(dp pmetric.HistogramDataPoint) {
			exported{start: 1, time: 10, counts: counts}.write(dp)
			dp.Attributes().PutInt("stream", int64(stream))
		}))
	}
	require.Equal(t, 1, send(0, 4, 8, 0))
	require.Zero(t, send(0, 3, 9, 1))
	for other := range 1000 {
		require.Equal(t, 1, send(1+other, 4, 8, 0))
	}
	require.Equal(t, 1, send(0, 3, 9, 1))
}

// The memory of the streams is bounded too: if points are large, fewer streams are remembered.
func TestStatefulIsBoundedByWords(t *testing.T) {
	const streams, words = 64, 384 // words per stream
	bounds := make([]float64, 1000)
	for i := range bounds {
		bounds[i] = float64(i + 1)
	}
	rule := explicitTarget([]float64{1, 2})
	rule.Streams = convert.NewStreams(streams)
	f := follow(rule)
	for stream := range 4 * streams {
		f.explicit(func(dp pmetric.HistogramDataPoint) {
			writePoint(dp, bounds, make([]uint64, len(bounds)+1))
			dp.Attributes().PutInt("stream", int64(stream))
		})
		require.LessOrEqual(t, rule.Streams.Len(), streams*words/(2*len(bounds))+16) // the most recently seen stream of each shard remains
	}
}

// Points with too many bounds for the state of a stream are converted independently and are no violations.
func TestStatefulLeavesLargePointsAlone(t *testing.T) {
	f := follow(stateful(explicitTarget([]float64{1, 2}), convert.Hold))
	for i := range 3 {
		bounds := make([]float64, 1025+i)
		for k := range bounds {
			bounds[k] = float64(k)/100 + 0.003
		}
		m := f.explicit(func(dp pmetric.HistogramDataPoint) {
			dp.SetStartTimestamp(1)
			dp.SetTimestamp(pcommon.Timestamp(100 - i))
			dp.ExplicitBounds().FromRaw(bounds)
			dp.BucketCounts().FromRaw(make([]uint64, len(bounds)+1))
			dp.BucketCounts().SetAt(150, uint64(9-i))
			dp.SetCount(uint64(9 - i))
		})
		dp := m.Histogram().DataPoints().At(0)
		require.Equal(t, []uint64{0, uint64(9 - i), 0}, dp.BucketCounts().AsRaw())
		require.EqualValues(t, 1, dp.StartTimestamp())
	}
	require.Equal(t, [convert.Actions][convert.Violations]int64{}, f.report.Violations)
}
