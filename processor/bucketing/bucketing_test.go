package bucketing

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/metadatatest"
)

// start returns a running processor whose output goes to the sink.
func start(t *testing.T, set processor.Settings, cfg *Config) (processor.Metrics, *consumertest.MetricsSink) {
	t.Helper()
	require.NoError(t, cfg.Validate())
	sink := new(consumertest.MetricsSink)
	p, err := NewFactory().CreateMetrics(context.Background(), set, cfg, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	return p, sink
}

func rulesOf(rules ...RuleConfig) *Config {
	return &Config{ErrorMode: "ignore", OnInvalid: "drop", Rules: rules}
}

func newHistogram(md pmetric.Metrics, name, unit string, bounds []float64, counts ...uint64) pmetric.HistogramDataPoint {
	rms := md.ResourceMetrics()
	if rms.Len() == 0 {
		rms.AppendEmpty().ScopeMetrics().AppendEmpty()
	}
	m := rms.At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	dp := h.DataPoints().AppendEmpty()
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(counts)
	for _, n := range counts {
		dp.SetCount(dp.Count() + n)
	}
	return dp
}

func TestFirstMatchWins(t *testing.T) {
	rule := func(bound float64, match MatchConfig) RuleConfig {
		r := valid()
		r.Target.Explicit.Bounds, r.Match = []float64{bound}, match
		return r
	}
	p, sink := start(t, processortest.NewNopSettings(metadata.Type), rulesOf(
		rule(1, MatchConfig{MetricNames: []string{"a", `b\..*`}}),
		rule(2, MatchConfig{Types: []string{"exponential_histogram"}}),
		rule(3, MatchConfig{Unit: "s"}),
		rule(4, MatchConfig{MetricNames: []string{"a.*"}, Types: []string{"histogram"}, Unit: "ms"}),
	))
	for _, tt := range []struct {
		name, unit string
		want       float64 // the bound; 9 is that of the source
	}{
		{"a", "s", 1},
		{"b.c", "", 1},
		{"ab", "s", 3}, // anchored at both ends
		{"xa", "", 9},
		{"ab", "ms", 4},
		{"ab", "", 9},
	} {
		sink.Reset()
		md := pmetric.NewMetrics()
		newHistogram(md, tt.name, tt.unit, []float64{9}, 1, 2)
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
		got := sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().At(0)
		require.Equal(t, []float64{tt.want}, got.ExplicitBounds().AsRaw(), "%s in %q", tt.name, tt.unit)
	}
}

// A rule can name attributes of the resource. The resource must have all of them, with matching values.
func TestMatchByResource(t *testing.T) {
	rule := valid()
	rule.Match.Resource = map[string]any{"resource.service.name": []any{"shop", "cart-.*"}, "resource.tier": "1"}
	p, sink := start(t, processortest.NewNopSettings(metadata.Type), rulesOf(rule))
	for _, tt := range []struct {
		attributes map[string]any
		want       bool
	}{
		{map[string]any{"service.name": "shop", "tier": 1}, true},
		{map[string]any{"service.name": "cart-eu", "tier": "1"}, true},
		{map[string]any{"service.name": "my-shop", "tier": "1"}, false}, // anchored
		{map[string]any{"service.name": "shop", "tier": "2"}, false},
		{map[string]any{"service.name": "shop"}, false},
		{map[string]any{}, false},
	} {
		sink.Reset()
		md := pmetric.NewMetrics()
		newHistogram(md, "a", "", []float64{9}, 1, 2)
		require.NoError(t, md.ResourceMetrics().At(0).Resource().Attributes().FromRaw(tt.attributes))
		newHistogram(md, "other", "", []float64{9}, 1, 2).CopyTo(md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty())
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
		got := sink.AllMetrics()[0].ResourceMetrics()
		bounds := got.At(0).ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().At(0).ExplicitBounds()
		require.Equal(t, tt.want, bounds.Len() == 2, "%v", tt.attributes)
		other := got.At(1).ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().At(0)
		require.Equal(t, 1, other.ExplicitBounds().Len(), "another resource")
	}
}

// The preset follows the unit; see also the preset's own tests.
func TestPresetByUnit(t *testing.T) {
	p, sink := start(t, processortest.NewNopSettings(metadata.Type), load(t, "bucketing"))
	md := pmetric.NewMetrics()
	newHistogram(md, "order.process_time", "ms", []float64{10, 100}, 1, 2, 3)
	newHistogram(md, "http.server.request.duration", "s", []float64{0.01, 0.1}, 1, 2, 3)
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	metrics := sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	require.Equal(t, []float64{0, 10, 50, 100, 500}, metrics.At(0).Histogram().DataPoints().At(0).ExplicitBounds().AsRaw())
	require.Equal(t, []float64{0, 0.01, 0.05, 0.1, 0.5}, metrics.At(1).Histogram().DataPoints().At(0).ExplicitBounds().AsRaw())
}

func TestOtherTypesAreLeftAlone(t *testing.T) {
	p, sink := start(t, processortest.NewNopSettings(metadata.Type), rulesOf(valid()))
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	metrics.AppendEmpty().SetEmptySum().DataPoints().AppendEmpty().SetIntValue(1)
	metrics.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	metrics.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().SetCount(1)
	metrics.AppendEmpty()
	want := pmetric.NewMetrics()
	md.CopyTo(want)
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	require.Equal(t, want, sink.AllMetrics()[0])
}

func TestGaugesWhereTheyAreNamed(t *testing.T) {
	named := valid()
	named.Match.Types = []string{"gauge"}
	p, sink := start(t, processortest.NewNopSettings(metadata.Type), rulesOf(valid(), named))
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(2)
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	got := sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	require.Equal(t, []uint64{0, 1, 0}, got.Histogram().DataPoints().At(0).BucketCounts().AsRaw())
}

func TestErrorMode(t *testing.T) {
	for _, mode := range []string{"ignore", "propagate"} {
		cfg := rulesOf(valid())
		cfg.ErrorMode = mode
		p, sink := start(t, processortest.NewNopSettings(metadata.Type), cfg)
		md := pmetric.NewMetrics()
		newHistogram(md, "fine", "", []float64{1}, 1, 2)
		newHistogram(md, "broken", "", []float64{1}, 1, 2).SetCount(7)
		newHistogram(md, "broken too", "", []float64{2, 1}, 1, 2, 3)
		err := p.ConsumeMetrics(context.Background(), md)
		if mode == "ignore" {
			require.NoError(t, err)
			require.Equal(t, 1, sink.DataPointCount())
			continue
		}
		require.EqualError(t, err, `Permanent error: metric "broken": invalid histogram point: bucket counts add up to 3, count is 7`)
		require.ErrorIs(t, err, histpoint.ErrInvalid)
		require.True(t, consumererror.IsPermanent(err))
		require.Zero(t, sink.DataPointCount())

		// The error does not affect the next batch.
		md = pmetric.NewMetrics()
		newHistogram(md, "fine", "", []float64{1}, 1, 2)
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
}

// All points are checked, also those that no rule matches and those that keep their layout.
func TestInvalidPointsThatNoRuleMatches(t *testing.T) {
	other := valid()
	other.Match.MetricNames, other.OnInvalid = []string{"other"}, "pass"
	set := processortest.NewNopSettings(metadata.Type)
	core, lines := observer.New(zap.InfoLevel)
	set.Logger = zap.New(core)
	p, sink := start(t, set, rulesOf(other))
	md := pmetric.NewMetrics()
	newHistogram(md, "other", "", []float64{1}, 1, 2).SetCount(7)
	for range 3 {
		newHistogram(md, "broken", "", []float64{1}, 1, 2).SetCount(7)
	}
	newHistogram(md, "fine", "", []float64{1, math.Inf(1)}, 1, 2, 3)
	exponential := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	exponential.SetName("exponential")
	points := exponential.SetEmptyExponentialHistogram().DataPoints()
	points.AppendEmpty().SetCount(9)
	ordinary, extreme := points.AppendEmpty(), points.AppendEmpty()
	ordinary.SetScale(3)
	ordinary.Positive().SetOffset(-5)
	ordinary.Positive().BucketCounts().FromRaw([]uint64{0, 2, 0})
	ordinary.SetCount(2)
	extreme.SetScale(math.MaxInt32)
	extreme.Positive().SetOffset(math.MinInt32)
	extreme.Negative().SetOffset(math.MaxInt32)
	extreme.Negative().BucketCounts().FromRaw([]uint64{3})
	extreme.SetCount(3)
	want := pmetric.NewExponentialHistogramDataPoint()
	ordinary.CopyTo(want)
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))

	var names []string
	got := sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	for _, m := range got.All() {
		names = append(names, m.Name())
	}
	require.Equal(t, []string{"other", "fine", "exponential"}, names)
	require.Equal(t, []float64{1}, got.At(1).Histogram().DataPoints().At(0).ExplicitBounds().AsRaw())
	require.Equal(t, []uint64{1, 5}, got.At(1).Histogram().DataPoints().At(0).BucketCounts().AsRaw())
	points = got.At(2).ExponentialHistogram().DataPoints()
	require.Equal(t, 2, points.Len())
	require.Equal(t, want, points.At(0))
	require.Equal(t, int32(20), points.At(1).Scale())
	require.Zero(t, points.At(1).Positive().Offset())
	require.Zero(t, points.At(1).Negative().Offset()) // (1, 2^(2^-20)]
	require.Equal(t, 1, lines.Len())
	require.Equal(t, `metric "other": invalid histogram point: bucket counts add up to 3, count is 7`, lines.All()[0].ContextMap()["error"])
}

// A metric whose points are all dropped is removed, and so are a resource and a batch of such metrics. Exporters treat a
// metric without points as an error.
func TestNothingIsLeftOfWhatIsDropped(t *testing.T) {
	drop := valid()
	drop.OnInvalid = "drop"
	drop.Match.Types = []string{"histogram", "gauge"}
	p, sink := start(t, processortest.NewNopSettings(metadata.Type), rulesOf(drop))

	broken := func(md pmetric.Metrics) { newHistogram(md, "broken", "", []float64{1}, 1, 2).SetCount(7) }
	md := pmetric.NewMetrics()
	broken(md)
	newHistogram(md, "fine", "", []float64{1}, 1, 2)
	broken(md)
	metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	mixed := metrics.AppendEmpty()
	mixed.SetName("mixed")
	mixed.SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(math.NaN())
	mixed.Gauge().DataPoints().AppendEmpty().SetDoubleValue(1)
	metrics.AppendEmpty().SetName("empty as it came")
	other := pmetric.NewMetrics()
	broken(other)
	other.ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	require.Len(t, sink.AllMetrics(), 1)
	got := sink.AllMetrics()[0].ResourceMetrics()
	require.Equal(t, 1, got.Len())
	var names []string
	for _, m := range got.At(0).ScopeMetrics().At(0).Metrics().All() {
		names = append(names, m.Name())
	}
	require.Equal(t, []string{"fine", "mixed", "empty as it came"}, names)

	md = pmetric.NewMetrics()
	broken(md)
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	require.Len(t, sink.AllMetrics(), 1)
}

func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := processortest.NewNopSettings(metadata.Type)
	set.ID = component.NewIDWithName(metadata.Type, "a")
	set.TelemetrySettings = tel.NewTelemetrySettings()
	drop, pass := valid(), valid()
	drop.Match.MetricNames, pass.OnInvalid = []string{"drop"}, "pass"
	p, _ := start(t, set, rulesOf(drop, pass))

	md := pmetric.NewMetrics()
	newHistogram(md, "a", "", []float64{1, 2}, 1, 2, 3)
	newHistogram(md, "b", "", []float64{0.5, 1.5}, 5, 6, 9) // 1 lies in a bucket, 2 in an open end
	newHistogram(md, "drop", "", []float64{1}, 1, 2).SetCount(1)
	newHistogram(md, "c", "", []float64{1}, 1, 2).SetCount(1)
	newHistogram(md, "d", "", nil, 3)
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	for _, scale := range []int32{3, -1} { // the second is below the working scale
		md = pmetric.NewMetrics()
		e := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyExponentialHistogram()
		e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		dp := e.DataPoints().AppendEmpty()
		dp.SetScale(scale)
		dp.Positive().BucketCounts().FromRaw([]uint64{0, 0, 0, 4})
		dp.SetCount(4)
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}

	one := func(v int64, attrs ...attribute.KeyValue) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: v, Attributes: attribute.NewSet(append(attrs, attribute.String("processor", "bucketing/a"))...)}
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualProcessorBucketingPoints(t, tel, []metricdata.DataPoint[int64]{
		one(2, attribute.Int("rule", 1), attribute.String("from", "explicit"), attribute.String("to", "explicit")),
		one(2, attribute.Int("rule", 1), attribute.String("from", "exponential"), attribute.String("to", "explicit")),
	}, ignore)
	metadatatest.AssertEqualProcessorBucketingPassedPoints(t, tel, []metricdata.DataPoint[int64]{
		one(1, attribute.String("reason", "invalid")),
		one(1, attribute.String("reason", "no_buckets")),
	}, ignore)
	metadatatest.AssertEqualProcessorBucketingDroppedPoints(t, tel, []metricdata.DataPoint[int64]{one(1)}, ignore)
	metadatatest.AssertEqualProcessorBucketingViolations(t, tel, []metricdata.DataPoint[int64]{one(1, attribute.String("action", "reset"), attribute.String("reason", "scale"))}, ignore)
	metadatatest.AssertEqualProcessorBucketingOpenEndCounts(t, tel, []metricdata.DataPoint[int64]{one(9)}, ignore)
	metadatatest.AssertEqualProcessorBucketingPlanCacheSize(t, tel, []metricdata.DataPoint[int64]{one(4)}, ignore)
	errors, err := tel.GetMetric("otelcol_processor_bucketing_rank_error")
	require.NoError(t, err)
	point := errors.Data.(metricdata.Histogram[float64]).DataPoints[0]
	require.Equal(t, uint64(4), point.Count)
	require.InDelta(t, 6.0/20, point.Sum, 1e-12)
	require.Equal(t, attribute.NewSet(attribute.String("processor", "bucketing/a")), point.Attributes)
}

// Rules with state count their streams until shutdown.
func TestTelemetryOfStreams(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := processortest.NewNopSettings(metadata.Type)
	set.ID = component.NewIDWithName(metadata.Type, "a")
	set.TelemetrySettings = tel.NewTelemetrySettings()
	kept := valid()
	kept.Cumulative.Mode, kept.Match.MetricNames = modeStateful, []string{"kept.*"}
	p, err := NewFactory().CreateMetrics(context.Background(), set, rulesOf(kept, valid()), consumertest.NewNop())
	require.NoError(t, err)
	for _, name := range []string{"kept", "kept", "kept too", "other"} {
		md := pmetric.NewMetrics()
		newHistogram(md, name, "", []float64{1}, 1, 2)
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
	metadatatest.AssertEqualProcessorBucketingStreams(t, tel, []metricdata.DataPoint[int64]{
		{Value: 2, Attributes: attribute.NewSet(attribute.String("processor", "bucketing/a"))},
	}, metricdatatest.IgnoreTimestamp())
	require.NoError(t, p.Shutdown(context.Background()))
	_, err = tel.GetMetric("otelcol_processor_bucketing_streams")
	require.Error(t, err)
}

// Instances with the same ID, one per pipeline, add up. Instances with another ID have their own series.
func TestTelemetryByInstance(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	var last processor.Metrics
	for i, name := range []string{"a", "a", "b"} {
		set := processortest.NewNopSettings(metadata.Type)
		set.ID = component.NewIDWithName(metadata.Type, name)
		set.TelemetrySettings = tel.NewTelemetrySettings()
		p, err := NewFactory().CreateMetrics(context.Background(), set, rulesOf(valid()), consumertest.NewNop())
		require.NoError(t, err)
		for layout := range i + 1 { // 1, 2 and 3 plans
			md := pmetric.NewMetrics()
			newHistogram(md, "m", "", []float64{float64(layout)}, 1, 2)
			require.NoError(t, p.ConsumeMetrics(context.Background(), md))
		}
		last = p
	}
	point := func(name string, v int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: v, Attributes: attribute.NewSet(attribute.String("processor", name))}
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualProcessorBucketingPlanCacheSize(t, tel, []metricdata.DataPoint[int64]{point("bucketing/a", 3), point("bucketing/b", 3)}, ignore)
	require.NoError(t, last.Shutdown(context.Background()))
	metadatatest.AssertEqualProcessorBucketingPlanCacheSize(t, tel, []metricdata.DataPoint[int64]{point("bucketing/a", 3)}, ignore)
}
