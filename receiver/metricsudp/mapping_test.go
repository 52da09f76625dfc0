package metricsudp

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

func TestMappingIsChecked(t *testing.T) {
	histogram := func(c HistogramConfig) MappingConfig {
		return MappingConfig{StatsdType: "timing", ObserverType: "histogram", Histogram: c}
	}
	explicit := func(pattern string, bounds ...float64) MappingConfig {
		return histogram(HistogramConfig{ExplicitBuckets: []ExplicitBucketsConfig{{pattern, bounds}}})
	}
	percentiles := func(p ...float64) SummaryConfig { return SummaryConfig{Percentiles: p} }
	const taken = "statsd_type: must be a type that no other entry maps"
	for _, tt := range []struct {
		mapping []MappingConfig
		want    string // after the entry's path; empty: valid
	}{
		{[]MappingConfig{}, ""},
		{[]MappingConfig{histogram(HistogramConfig{})}, ""},
		{[]MappingConfig{histogram(HistogramConfig{MaxSize: 2})}, ""},
		{[]MappingConfig{histogram(HistogramConfig{MaxSize: 16384})}, ""},
		{[]MappingConfig{histogram(HistogramConfig{MaxSize: 1})}, `histogram::max_size: must be from 2 to 16384, or 0 for 160 (got 1)`},
		{[]MappingConfig{histogram(HistogramConfig{MaxSize: -2})}, `histogram::max_size: must be from 2 to 16384, or 0 for 160 (got -2)`},
		{[]MappingConfig{histogram(HistogramConfig{MaxSize: 16385})}, `histogram::max_size: must be from 2 to 16384, or 0 for 160 (got 16385)`},
		{[]MappingConfig{{ObserverType: "gauge"}}, `statsd_type: must be one of timing, timer, histogram, distribution (got "")`},
		{[]MappingConfig{{StatsdType: "counter", ObserverType: "gauge"}}, `statsd_type: must be one of timing, timer, histogram, distribution (got "counter")`},
		{[]MappingConfig{{StatsdType: "timer"}}, `observer_type: must be one of gauge, summary, histogram (got "")`},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "disabled"}}, `observer_type: must be one of gauge, summary, histogram (got "disabled")`},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "gauge"}, {StatsdType: "timing", ObserverType: "summary"}}, taken + ` (got "timing")`},
		{[]MappingConfig{{StatsdType: "histogram", ObserverType: "gauge"}, {StatsdType: "histogram", ObserverType: "gauge"}}, taken + ` (got "histogram")`},
		{[]MappingConfig{{StatsdType: "histogram", ObserverType: "gauge"}, {StatsdType: "distribution", ObserverType: "summary"}}, ""},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "gauge", Histogram: HistogramConfig{MaxSize: 100}}}, `observer_type: must be histogram where histogram is set (got "gauge")`},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "gauge", Summary: percentiles(1)}}, `observer_type: must be summary where summary is set (got "gauge")`},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "summary", Summary: percentiles(0, 100, 99.99)}}, ""},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "summary", Summary: percentiles(0, 101)}}, `summary::percentiles::1: must be from 0 to 100 (got 101)`},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "summary", Summary: percentiles(99, 1, 99)}}, `summary::percentiles::2: must be given once (got 99)`},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "summary", Summary: percentiles(make([]float64, 101)...)}}, `summary::percentiles: must be at most 100 numbers (got 101)`},
		{[]MappingConfig{{StatsdType: "timer", ObserverType: "summary", Summary: percentiles(math.NaN())}}, `summary::percentiles::0: must be from 0 to 100 (got NaN)`},
		{[]MappingConfig{explicit("a", 1)}, ""},
		{[]MappingConfig{explicit("a", -1, 0, 1.5)}, ""},
		{[]MappingConfig{explicit("", 1)}, `histogram::explicit_buckets::0::matcher_pattern: must be a regular expression (got "")`},
		{[]MappingConfig{explicit("(", 1)}, `histogram::explicit_buckets::0::matcher_pattern: must be a regular expression (got "("): error parsing regexp`},
		{[]MappingConfig{explicit("a")}, `histogram::explicit_buckets::0::buckets: must be from 1 to 16383 bounds (got 0)`},
		{[]MappingConfig{explicit("a", make([]float64, 16384)...)}, `histogram::explicit_buckets::0::buckets: must be from 1 to 16383 bounds (got 16384)`},
		{[]MappingConfig{explicit("a", 1, 1)}, `histogram::explicit_buckets::0::buckets::1: must be greater than the one before, 1 (got 1)`},
		{[]MappingConfig{explicit("a", 1, math.Inf(1))}, `histogram::explicit_buckets::0::buckets::1: must be finite (got +Inf)`},
	} {
		cfg := createDefaultConfig().(*Config)
		cfg.TimerHistogramMapping = tt.mapping
		err := cfg.Validate()
		if tt.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, tt.want)
		require.ErrorContains(t, err, "timer_histogram_mapping::")
	}
}

// Types without a mapping, and keys that a mapping leaves out, have the defaults.
func TestObservers(t *testing.T) {
	o, err := createDefaultConfig().(*Config).observers()
	require.NoError(t, err)
	assert.Zero(t, o)

	cfg := load(t, "metricsudp/all")
	o, err = cfg.observers()
	require.NoError(t, err)
	assert.Equal(t, series.Each, o[line.Histogram].Aggregation)
	assert.Equal(t, series.Distribution, o[line.Timer].Aggregation)
	assert.Equal(t, 100, o[line.Timer].MaxSize)
	require.Len(t, o[line.Timer].Explicit, 2)
	assert.Equal(t, "bar.*", o[line.Timer].Explicit[1].Name.String())
	assert.Equal(t, series.Summary, o[line.Distribution].Aggregation)
	assert.Equal(t, []float64{0, 10, 99.9}, o[line.Distribution].Percentiles)

	cfg.TimerHistogramMapping = []MappingConfig{{StatsdType: "distribution", ObserverType: "summary"}}
	o, err = cfg.observers()
	require.NoError(t, err)
	assert.Zero(t, o[line.Timer])
	assert.Equal(t, []float64{0, 10, 50, 90, 95, 100}, o[line.Distribution].Percentiles)

	cfg.TimerHistogramMapping[0].Histogram.ExplicitBuckets = []ExplicitBucketsConfig{{"(", nil}}
	_, err = cfg.seriesOptions()
	require.ErrorContains(t, err, "matcher_pattern")
}

// The whole path: a configuration, datagrams to a socket, and the points.
func TestMappedTypesFromDatagramToPoint(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, func(c *Config) {
		c.TimerHistogramMapping = load(t, "metricsudp/all").TimerHistogramMapping
		c.CounterType = "stochastic_int"
	})
	before := time.Now()
	r.send(t, "a.foo:0.5:1:2:1000|ms\nbaz:12|ms\nsize:7:8|h|@0.5\ndist:1:2:3|d\ndist:4|d|@0.5\nhits:1|c|@0.4")
	require.NoError(t, r.Shutdown(context.Background()))
	batches := sink.AllMetrics()

	foo := findMetric(t, batches, "a.foo").Histogram().DataPoints().At(0)
	assert.Equal(t, []float64{1, 10, 100}, foo.ExplicitBounds().AsRaw())
	assert.Equal(t, []uint64{2, 1, 0, 1}, foo.BucketCounts().AsRaw())
	assert.Equal(t, uint64(1), findMetric(t, batches, "baz").ExponentialHistogram().DataPoints().At(0).Count())

	size := findMetric(t, batches, "size").Gauge().DataPoints()
	require.Equal(t, 2, size.Len())
	assert.InDelta(t, 7, size.At(0).DoubleValue(), 0)
	assert.InDelta(t, 8, size.At(1).DoubleValue(), 0)
	// The receiver's clock is the test's, the readers' is monotonic and near 0.
	at := size.At(0).Timestamp().AsTime()
	assert.False(t, at.After(r.clock.start), "received before the flush")
	assert.False(t, at.Before(r.clock.start.Add(-time.Since(before))), "and since the receiver was started")

	dist := findMetric(t, batches, "dist").Summary().DataPoints().At(0)
	assert.Equal(t, uint64(5), dist.Count())
	assert.InDelta(t, 14, dist.Sum(), 0)
	require.Equal(t, 3, dist.QuantileValues().Len())
	assert.InDelta(t, 1, dist.QuantileValues().At(0).Value(), 0)
	assert.InDelta(t, 0.999, dist.QuantileValues().At(2).Quantile(), 1e-15)
	assert.InDelta(t, 4, dist.QuantileValues().At(2).Value(), 0)

	assert.Contains(t, []int64{2, 3}, findMetric(t, batches, "hits").Sum().DataPoints().At(0).IntValue())
}
