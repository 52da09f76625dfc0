package convert_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

func stateful(rule *convert.Rule, on convert.Action) *convert.Rule {
	rule.Streams, rule.OnViolation = convert.NewStreams(4000), on
	return rule
}

// follower converts one cumulative stream point by point.
type follower struct {
	c      *convert.Converter
	rule   *convert.Rule
	report *convert.Report
}

func follow(rule *convert.Rule) *follower {
	f := &follower{convert.New(convert.NewPlans(64)), rule, new(convert.Report)}
	f.report.Reset(1)
	return f
}

func (f *follower) explicit(write func(pmetric.HistogramDataPoint)) pmetric.Metric {
	metrics, m := newMetrics()
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	write(h.DataPoints().AppendEmpty())
	f.c.Metric(m, metrics, newOrigin(), f.rule, f.report)
	return m
}

func (f *follower) exponential(write func(pmetric.ExponentialHistogramDataPoint)) pmetric.Metric {
	metrics, m := newMetrics()
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	write(h.DataPoints().AppendEmpty())
	f.c.Metric(m, metrics, newOrigin(), f.rule, f.report)
	return m
}

// laidOut returns the counts of a point by the names of their buckets. Absent buckets of an exponential point are empty.
func laidOut(m pmetric.Metric) map[string]uint64 {
	counts := map[string]uint64{}
	if m.Type() == pmetric.MetricTypeHistogram {
		dp := m.Histogram().DataPoints().At(0)
		for i, n := range dp.BucketCounts().All() {
			counts[fmt.Sprint(dp.ExplicitBounds().AsRaw(), i)] = n
		}
		return counts
	}
	dp := m.ExponentialHistogram().DataPoints().At(0)
	counts[fmt.Sprint("zero ", dp.ZeroThreshold())] = dp.ZeroCount()
	for sign, b := range map[string]pmetric.ExponentialHistogramDataPointBuckets{"+": dp.Positive(), "-": dp.Negative()} {
		for i, n := range b.BucketCounts().All() {
			counts[fmt.Sprint(sign, dp.Scale(), " ", int(b.Offset())+i)] = n
		}
	}
	return counts
}

// fluid is a cumulative source whose points have different layouts.
type fluid struct {
	rng    *rand.Rand
	fine   *expo.Histogram // at scale 5
	scale  int32           // of the last point
	zero   float64         // the last point's threshold
	bounds []float64
	counts []uint64
}

func newFluid(rng *rand.Rand) *fluid {
	f := &fluid{rng: rng, fine: expo.New(4096), scale: 5}
	f.fine.ToScale(5)
	for range 24 {
		f.bounds = append(f.bounds, rng.NormFloat64()*50)
	}
	slices.Sort(f.bounds)
	f.counts = make([]uint64, len(f.bounds)+1)
	return f
}

func (f *fluid) grow() {
	for range f.rng.IntN(6) {
		v := math.Exp(f.rng.NormFloat64()*3) * float64(f.rng.IntN(5)-1)
		n := min(f.rng.Uint64()>>f.rng.IntN(64), math.MaxUint64-f.fine.Count)
		f.fine.Record(v, n)
		at, _ := slices.BinarySearch(f.bounds, v)
		f.counts[at] += n
	}
}

func (f *fluid) writeExponential(dp pmetric.ExponentialHistogramDataPoint) {
	h := *f.fine
	h.Positive.Counts, h.Negative.Counts = slices.Clone(h.Positive.Counts), slices.Clone(h.Negative.Counts)
	if f.rng.IntN(3) == 0 {
		f.scale = max(f.scale-f.rng.Int32N(3), -3)
	}
	h.ToScale(f.scale)
	if f.rng.IntN(4) == 0 {
		h.RaiseZero(max(f.zero, math.Exp(f.rng.NormFloat64()*2-2)))
	} else {
		h.RaiseZero(f.zero)
	}
	f.zero = h.ZeroThreshold
	histpoint.StoreExponential(dp, &h)
}

func (f *fluid) writeExplicit(dp pmetric.HistogramDataPoint) {
	var bounds []float64
	for _, b := range f.bounds {
		if f.rng.IntN(3) > 0 {
			bounds = append(bounds, b)
		}
	}
	if len(bounds) == 0 {
		bounds = f.bounds[:1]
	}
	counts := make([]uint64, len(bounds)+1)
	rebucket.Explicit(bounds, f.bounds, f.counts, counts, rebucket.Log)
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(counts)
	dp.SetCount(f.fine.Count)
}

// The scale falls, the zero threshold rises, and bounds change. No emitted bucket decreases or disappears, and the buckets
// add up to the count of the source, up to 2^64-1.
func TestStatefulNeverDecreases(t *testing.T) {
	const streams, exports = 150, 15
	rng := rand.New(rand.NewPCG(11, 11))
	for name, tt := range map[string]struct {
		rule     func() *convert.Rule
		explicit bool // source
	}{
		"exponential to bounds":     {rule: func() *convert.Rule { return explicitTarget([]float64{-3, -1, 0.5, 7.25, 33, 1e6}) }},
		"exponential to latency":    {rule: func() *convert.Rule { return explicitTarget(latency) }},
		"explicit to bounds":        {rule: func() *convert.Rule { return explicitTarget([]float64{-30, -1, 0.5, 7.25, 33, 1e6}) }, explicit: true},
		"explicit to exponential":   {rule: func() *convert.Rule { return exponentialTarget(3, 160, 0) }, explicit: true},
		"explicit to a few buckets": {rule: func() *convert.Rule { return exponentialTarget(3, 4, 1) }, explicit: true},
		"explicit to a limit":       {rule: func() *convert.Rule { return &convert.Rule{Limit: &convert.Limit{MaxBuckets: 6}} }, explicit: true},
	} {
		t.Run(name, func(t *testing.T) {
			differ := 0
			for range streams {
				rule := tt.rule()
				alone := follow(rule)
				f := follow(stateful(tt.rule(), convert.Drop))
				source := newFluid(rng)
				var last map[string]uint64
				for range exports {
					source.grow()
					var m, by pmetric.Metric
					if tt.explicit {
						dp := pmetric.NewHistogramDataPoint()
						source.writeExplicit(dp)
						m, by = f.explicit(dp.CopyTo), alone.explicit(dp.CopyTo)
					} else {
						dp := pmetric.NewExponentialHistogramDataPoint()
						source.writeExponential(dp)
						m, by = f.exponential(dp.CopyTo), alone.exponential(dp.CopyTo)
					}
					require.Equal(t, 1, count(m))
					require.Equal(t, source.fine.Count, pointAt(m, 0).Count())
					require.Equal(t, source.fine.Count, total(m, 0))
					now := laidOut(m)
					for bucket, n := range last {
						if n > 0 {
							require.GreaterOrEqual(t, now[bucket], n, bucket)
						}
					}
					for bucket, n := range laidOut(by) {
						if n != now[bucket] {
							differ++
							break
						}
					}
					last = now
				}
			}
			require.Positive(t, differ)
			t.Logf("%d of %d points differ from conversion by themselves", differ, streams*exports)
		})
	}
}

// Without state a bucket decreases under one start only in a point that is counted as a violation. Bounds change, scales
// fall, zero thresholds rise, and negative observations appear.
func TestStatelessDecreasesAreCounted(t *testing.T) {
	const streams, exports = 300, 15
	rng := rand.New(rand.NewPCG(12, 12))
	targets := [][]float64{{1, 3, 10}, {0, 5, 10, 25, 50, 75, 100}, {-30, -1, 0.5, 7.25, 33, 1e6}, {-5}, {50}, {0.25, 0.5, 1, 2, 4, 8, 16}}
	for _, explicit := range []bool{true, false} {
		decreased := 0
		for range streams {
			f := follow(explicitTarget(targets[rng.IntN(len(targets))]))
			source := newFluid(rng)
			if rng.IntN(2) == 0 { // bounds of durations
				source.bounds = []float64{0.5, 1, 2, 3, 4, 8, 10, 16, 25, 50, 75}
				source.counts = make([]uint64, len(source.bounds)+1)
			}
			var last map[string]uint64
			var counted int64
			for range exports {
				source.grow()
				var m pmetric.Metric
				if explicit {
					dp := pmetric.NewHistogramDataPoint()
					source.writeExplicit(dp)
					m = f.explicit(dp.CopyTo)
				} else {
					dp := pmetric.NewExponentialHistogramDataPoint()
					source.writeExponential(dp)
					m = f.exponential(dp.CopyTo)
				}
				var violations int64
				for _, n := range f.report.Violations[convert.Reset] {
					violations += n
				}
				now := laidOut(m)
				for bucket, n := range last {
					if now[bucket] < n {
						decreased++
						require.Greater(t, violations, counted, "bucket %s: %d after %d", bucket, now[bucket], n)
						break
					}
				}
				last, counted = now, violations
			}
		}
		require.Positive(t, decreased)
	}
}
