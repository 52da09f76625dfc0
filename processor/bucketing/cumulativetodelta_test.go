package bucketing

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/cumulativetodeltaprocessor"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/metadata"
)

// source is a cumulative stream in two forms: exponential with a falling scale, and explicit.
type source struct {
	rng      *rand.Rand
	h        *expo.Histogram
	bounds   []float64
	explicit []uint64
	mean     float64
	spread   float64
	widening float64 // of the spread, by export
	zero     float64 // the last point's threshold
	fluid            // the layout
}

// fluid says how the layout changes from export to export.
type fluid struct {
	changing bool
	farthest float64 // value
}

// steady needs at most 160 buckets at scale 3, the default working scale: its magnitudes are from 2^-8 to 2^8. The other
// one goes to 2^100, which needs scale -1.
var (
	steady   = fluid{farthest: 1 << 8}
	changing = fluid{changing: true, farthest: 1 << 100}
)

// The spread begins with a factor of 1.0001, which 160 buckets at the highest scale cover. After three quarters of the
// exports it needs the lowest scale.
const narrowest, widest = 1e-6, 3.0

func newSource(rng *rand.Rand, exports int, how fluid) *source {
	s := &source{rng: rng, fluid: how, h: expo.New(160), mean: rng.NormFloat64() * 3, spread: narrowest}
	s.widening = math.Pow(widest/narrowest, 4/(3*float64(exports)))
	for b := 0.05; b < 2e4; b *= 1.3 + rng.Float64()*3 {
		s.bounds = append(s.bounds, b)
	}
	s.explicit = make([]uint64, len(s.bounds)+1)
	return s
}

// grow adds observations from a distribution that becomes wider, so that the scale falls, beginning at 20.
func (s *source) grow() {
	s.spread = min(s.spread*s.widening, widest)
	for range s.rng.IntN(5) + 1 {
		v := math.Exp(s.mean + s.rng.NormFloat64()*s.spread)
		if s.changing && s.rng.IntN(100) == 0 {
			v = math.Exp2(200*s.rng.Float64() - 100)
		}
		v = min(max(v, 1.0/s.farthest), s.farthest)
		if s.rng.IntN(20) == 0 {
			v = -v
		}
		if s.rng.IntN(50) == 0 {
			v = 0
		}
		n := s.rng.Uint64N(1<<uint(s.rng.IntN(40))) + 1
		s.h.Record(v, n)
		i := 0
		for i < len(s.bounds) && v > s.bounds[i] {
			i++
		}
		s.explicit[i] += n
	}
}

// writeExponential writes the point, sometimes with a higher zero threshold than before.
func (s *source) writeExponential(dp pmetric.ExponentialHistogramDataPoint) {
	h := *s.h
	if s.changing {
		h.Positive.Counts, h.Negative.Counts = slices.Clone(h.Positive.Counts), slices.Clone(h.Negative.Counts)
		if s.rng.IntN(50) == 0 {
			s.zero = max(s.zero, math.Exp(s.rng.NormFloat64()-3))
		}
		h.RaiseZero(s.zero)
		s.zero = h.ZeroThreshold
	}
	histpoint.StoreExponential(dp, &h)
}

// writeExplicit writes the point, sometimes with other bounds than before.
func (s *source) writeExplicit(dp pmetric.HistogramDataPoint) {
	dp.SetCount(s.h.Count)
	if !s.changing {
		dp.ExplicitBounds().FromRaw(s.bounds)
		dp.BucketCounts().FromRaw(s.explicit)
		return
	}
	bounds := rebucket.Subset(s.bounds, 3+s.rng.IntN(len(s.bounds)), nil)
	counts := make([]uint64, len(bounds)+1)
	rebucket.Explicit(bounds, s.bounds, s.explicit, counts, rebucket.Log)
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(counts)
}

// TestCumulativeToDeltaDropsNothing sends 20,000 cumulative exports of each kind through the processor to contrib's
// cumulativetodelta, which drops a point if any bucket has decreased.
func TestCumulativeToDeltaDropsNothing(t *testing.T) {
	streams, exports := 20, 1000
	if testing.Short() {
		exports = 150
	}
	explicit := func(split string, bounds ...float64) RuleConfig {
		r := valid()
		r.Split, r.Target.Explicit.Bounds = split, bounds
		return r
	}
	target := func(c TargetConfig) RuleConfig {
		r := valid()
		r.Target = c
		return r
	}
	for name, rule := range map[string]RuleConfig{
		"explicit log":      explicit("log", 0, 10, 50, 100, 500),
		"explicit auto":     explicit("auto", -100, -1.5, 0.3, 0.31, 0.32, 7, 1000, 12345),
		"explicit linear":   explicit("linear", 1, 3, 5, 7, 9, 11, 13, 2000),
		"explicit upper":    explicit("upper", 0, 10, 50, 100, 500),
		"explicit midpoint": explicit("midpoint", 0, 10, 50, 100, 500),
		"exponential":       target(TargetConfig{Exponential: &ExponentialConfig{MaxScale: 8, MaxSize: 160}}),
		"exponential small": target(TargetConfig{Exponential: &ExponentialConfig{MaxScale: 4, MaxSize: 10}}),
		"exponential zero":  target(TargetConfig{Exponential: &ExponentialConfig{MaxScale: 4, MaxSize: 160, ZeroThreshold: 0.1}}),
		"limit":             target(TargetConfig{Limit: &LimitConfig{MaxBuckets: 12, Strategy: "uniform"}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := pipe(t, rule, steady, streams, exports, uint64(len(name)))
			require.Equal(t, 2*streams*exports, got.points)
			require.Zero(t, got.violations)
			require.Zero(t, got.decreased)
			require.Equal(t, expo.MaxScale, got.highest)
			require.EqualValues(t, defaultWorkingScale, got.lowest)
			t.Logf("%d exports of each kind, scales %d to %d, all passed", streams*exports, got.highest, got.lowest)
		})
	}
}

// With state the scale may fall below the working scale, zero thresholds may rise, and bounds may change. Still,
// cumulativetodelta drops nothing, and its deltas add up to the counts of the sources.
func TestStatefulCumulativeToDelta(t *testing.T) {
	streams, exports := 20, 1000
	if testing.Short() {
		exports = 150
	}
	target := func(split string, c TargetConfig) RuleConfig {
		r := valid()
		r.Split, r.Target, r.Cumulative.Mode = split, c, modeStateful
		return r
	}
	for name, rule := range map[string]RuleConfig{
		"log":      target("log", TargetConfig{Explicit: &ExplicitConfig{Bounds: []float64{-100, -1.5, 0.3, 0.31, 0.32, 7, 1000, 12345}}}),
		"linear":   target("linear", TargetConfig{Explicit: &ExplicitConfig{Bounds: []float64{1, 3, 5, 7, 9, 11, 13, 2000}}}),
		"midpoint": target("midpoint", TargetConfig{Explicit: &ExplicitConfig{Preset: "latency_ms"}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := pipe(t, rule, changing, streams, exports, uint64(len(name)))
			require.Equal(t, 2*streams*exports, got.points)
			require.Zero(t, got.violations)
			require.Zero(t, got.decreased)
			require.Equal(t, expo.MaxScale, got.highest)
			require.Less(t, got.lowest, int32(defaultWorkingScale))
			require.Equal(t, got.counted, got.deltas)
			require.Equal(t, got.counted, got.buckets)
			t.Logf("%d exports of each kind, scales %d to %d, all passed, %d observations", streams*exports, got.highest, got.lowest, got.deltas)

			rule.Cumulative.Mode = modeStateless
			without := pipe(t, rule, changing, streams, exports, uint64(len(name)))
			t.Logf("without state %d points decrease", without.decreased)
			require.Positive(t, without.decreased)
		})
	}
}

// Without state buckets decrease when the scale falls below the working scale, and each such point is counted. With the
// new start of reset, cumulativetodelta treats it as the first point of a stream. With drop it does not get the point.
func TestDecreasesAreCountedAsViolations(t *testing.T) {
	const streams, exports = 20, 150
	rule := valid()
	rule.Target.Explicit.Bounds = []float64{-3, 0.3, 0.7, 1.1, 3, 5, 7, 33, 77}
	rule.Cumulative.WorkingScale = 12
	got := pipe(t, rule, steady, streams, exports, 1)
	require.Less(t, int(got.lowest), rule.Cumulative.WorkingScale)
	t.Logf("%d of %d points decreased, %d violations", got.decreased, 2*streams*exports, got.violations)
	require.Positive(t, got.decreased)
	require.LessOrEqual(t, got.decreased, got.violations)
	require.Equal(t, 2*streams*exports, got.points)

	rule.Cumulative.OnViolation = "drop"
	got = pipe(t, rule, steady, streams, exports, 1)
	require.Positive(t, got.violations)
	require.Zero(t, got.decreased)
	require.Equal(t, 2*streams*exports, got.points+got.violations)
}

// decreases counts the explicit points in which a bucket is lower than in the previous point of the stream.
type decreases struct {
	n    int
	last map[string][]uint64
}

func (d *decreases) see(md pmetric.Metrics) {
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Type() != pmetric.MetricTypeHistogram {
			continue
		}
		for _, dp := range m.Histogram().DataPoints().All() {
			stream, _ := dp.Attributes().Get("stream")
			id := m.Name() + stream.AsString()
			counts := dp.BucketCounts().AsRaw()
			for i, before := range d.last[id] {
				if counts[i] < before {
					d.n++
					break
				}
			}
			d.last[id] = counts
		}
	}
}

// piped counts the input and the output of cumulativetodelta.
type piped struct {
	points, violations int
	decreased          int   // explicit points with a bucket that decreased, in the input
	lowest, highest    int32 // scale

	counted         uint64 // total count of the sources of both kinds
	deltas, buckets uint64 // total counts of the output's points and of their buckets, if all of them are explicit
}

// pipe sends exports of both kinds through a rule and then through cumulativetodelta.
func pipe(t *testing.T, rule RuleConfig, how fluid, streams, exports int, seed uint64) piped {
	t.Helper()
	sink := new(consumertest.MetricsSink)
	factory := cumulativetodeltaprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"initial_value": "keep"}).Unmarshal(cfg))
	toDelta, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, toDelta.Start(context.Background(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, toDelta.Shutdown(context.Background())) }()
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	seen := decreases{last: make(map[string][]uint64)}
	between, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		seen.see(md)
		return toDelta.ConsumeMetrics(ctx, md)
	})
	require.NoError(t, err)
	p, err := NewFactory().CreateMetrics(context.Background(), set, rulesOf(rule), between)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Shutdown(context.Background())) }()

	rng := rand.New(rand.NewPCG(1, seed))
	got := piped{lowest: math.MaxInt32, highest: math.MinInt32}
	sources := make([]*source, streams)
	for i := range sources {
		sources[i] = newSource(rng, exports, how)
	}
	for export := range exports {
		md := pmetric.NewMetrics()
		metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
		m, n := metrics.AppendEmpty(), metrics.AppendEmpty()
		m.SetName("exponential")
		n.SetName("explicit")
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		n.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for id, s := range sources {
			s.grow()
			got.lowest, got.highest = min(got.lowest, s.h.Scale), max(got.highest, s.h.Scale)
			e, h := m.ExponentialHistogram().DataPoints().AppendEmpty(), n.Histogram().DataPoints().AppendEmpty()
			s.writeExponential(e)
			s.writeExplicit(h)
			e.Attributes().PutInt("stream", int64(id))
			h.Attributes().PutInt("stream", int64(id))
			e.SetStartTimestamp(1)
			h.SetStartTimestamp(1)
			e.SetTimestamp(pcommon.Timestamp(export + 2))
			h.SetTimestamp(pcommon.Timestamp(export + 2))
		}
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
		for _, md := range sink.AllMetrics() {
			got.add(md)
		}
		sink.Reset()
	}
	for _, s := range sources {
		got.counted += 2 * s.h.Count
	}
	got.violations, got.decreased = int(harness.Sum(t, tel.Reader, "otelcol_processor_bucketing_violations")), seen.n
	return got
}

func (p *piped) add(md pmetric.Metrics) {
	p.points += md.DataPointCount()
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Type() != pmetric.MetricTypeHistogram {
			continue
		}
		for _, dp := range m.Histogram().DataPoints().All() {
			p.deltas += dp.Count()
			for _, n := range dp.BucketCounts().All() {
				p.buckets += n
			}
		}
	}
}
