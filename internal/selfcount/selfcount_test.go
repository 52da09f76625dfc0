package selfcount

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

func labelled(value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("k", value)))
}

// Each sum is reported once, under its labels, however often and from however many goroutines Report is called. Counters with the same
// labels add up.
func TestReport(t *testing.T) {
	reader := sdk.NewManualReader()
	meter := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test")
	m, err := meter.Int64Counter("points")
	require.NoError(t, err)
	var g Group
	a, b, again := g.Counter(m, labelled("a")), g.Counter(m, labelled("b")), g.Counter(m, labelled("a"))
	g.Counter(m, labelled("never"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				a.Add(1)
				b.Add(2)
				again.Add(3)
				g.Report()
			}
		})
	}
	all.Wait()
	g.Report()
	assert.EqualValues(t, 4*1000*(1+3), harness.Sum(t, reader, "points", "k", "a"))
	assert.EqualValues(t, 4*1000*2, harness.Sum(t, reader, "points", "k", "b"))
	assert.Empty(t, harness.Points[int64](t, reader, "points", "k", "never"))
	assert.EqualValues(t, 4*1000*2, b.Total())
}

// What is counted after Close is reported at the end of its batch: a batch may be on its way at the shutdown.
func TestCountAfterClose(t *testing.T) {
	reader := sdk.NewManualReader()
	m, err := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test").Int64Counter("points")
	require.NoError(t, err)
	var g Group
	c := g.Counter(m, labelled("v"))
	c.Add(1)
	g.EndBatch()
	assert.Empty(t, harness.Points[int64](t, reader, "points"))
	g.Close()
	assert.EqualValues(t, 1, harness.Sum(t, reader, "points"))
	c.Add(2)
	g.EndBatch()
	assert.EqualValues(t, 3, harness.Sum(t, reader, "points"))
}

// A callback that reports is called before the counters are read.
func TestReportInACallback(t *testing.T) {
	reader := sdk.NewManualReader()
	meter := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test")
	m, err := meter.Int64Counter("points")
	require.NoError(t, err)
	var g Group
	c := g.Counter(m, labelled("v"))
	_, err = meter.Int64ObservableGauge("observed", metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error {
		g.Report()
		return nil
	}))
	require.NoError(t, err)
	for n := range int64(3) {
		c.Add(1)
		assert.Equal(t, n+1, harness.Sum(t, reader, "points"))
	}
}

// The metrics are those of processorhelper, except for its duration: scope, names, units, descriptions and labels.
func TestItemsAreThoseOfTheHelper(t *testing.T) {
	collect := func(send func(*componenttest.Telemetry)) metricdata.ScopeMetrics {
		tel := componenttest.NewTelemetry()
		defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
		send(tel)
		var all metricdata.ResourceMetrics
		require.NoError(t, tel.Reader.Collect(context.Background(), &all))
		require.Len(t, all.ScopeMetrics, 1)
		return all.ScopeMetrics[0]
	}
	set := processortest.NewNopSettings(processortest.NopType)
	want := collect(func(tel *componenttest.Telemetry) {
		set := set
		set.TelemetrySettings = tel.NewTelemetrySettings()
		process := func(context.Context, pmetric.Metrics) (pmetric.Metrics, error) {
			return pmetric.NewMetrics(), nil
		}
		p, err := processorhelper.NewMetrics(context.Background(), set, nil, consumertest.NewNop(), process)
		require.NoError(t, err)
		md := pmetric.NewMetrics()
		md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	})
	got := collect(func(tel *componenttest.Telemetry) {
		var g Group
		items, err := NewItems(tel.NewTelemetrySettings().MeterProvider, set.ID.String(), pipeline.SignalMetrics.String(), &g)
		require.NoError(t, err)
		items.Count(1, 0)
		g.Report()
	})
	want.Metrics = slices.DeleteFunc(want.Metrics, func(m metricdata.Metrics) bool { return m.Name == "otelcol_processor_internal_duration" })
	metricdatatest.AssertEqual(t, want, got, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreValue(), metricdatatest.IgnoreExemplars())
}

// Without a callback that reports, the batches themselves report, and count nothing twice.
func TestItemsReportWithoutCallbacks(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	var g Group
	items, err := NewItems(tel.NewTelemetrySettings().MeterProvider, "p", "metrics", &g)
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range reportEvery {
				items.Count(2, 1)
				g.EndBatch()
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 4*reportEvery*2, harness.Sum(t, tel.Reader, "otelcol_processor_incoming_items"))
	assert.EqualValues(t, 4*reportEvery, harness.Sum(t, tel.Reader, "otelcol_processor_outgoing_items"))
}

func TestAllocsItems(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	items, err := NewItems(tel.NewTelemetrySettings().MeterProvider, "p", "metrics", new(Group))
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() { items.Count(2, 1) }))
}

// BenchmarkItems compares a batch with what processorhelper does for it.
func BenchmarkItems(b *testing.B) {
	set := processortest.NewNopSettings(processortest.NopType)
	tel := componenttest.NewTelemetry()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	b.Run("here", func(b *testing.B) {
		items, err := NewItems(set.MeterProvider, "p", "metrics", new(Group))
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			items.Count(2, 1)
		}
	})
	b.Run("processorhelper", func(b *testing.B) {
		process := func(_ context.Context, md pmetric.Metrics) (pmetric.Metrics, error) { return md, nil }
		p, err := processorhelper.NewMetrics(context.Background(), set, nil, consumertest.NewNop(), process)
		require.NoError(b, err)
		md := pmetric.NewMetrics()
		b.ReportAllocs()
		for b.Loop() {
			if err := p.ConsumeMetrics(context.Background(), md); err != nil {
				b.Fatal(err)
			}
		}
	})
}
