package metricsudp

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

func load(t *testing.T, id string) *Config {
	t.Helper()
	return harness.LoadConfig(t, id, createDefaultConfig().(*Config))
}

func TestEmptyConfigIsTheDefault(t *testing.T) {
	assert.Equal(t, createDefaultConfig(), load(t, component.NewID(metadata.Type).String()))
}

func TestEveryKey(t *testing.T) {
	assert.Equal(t, &Config{
		Endpoint:            "0.0.0.0:9125",
		Transport:           "udp4",
		Readers:             1,
		ReadBatchSize:       32,
		MaxDatagramSize:     8192,
		SocketBufferSize:    4194304,
		AllowedCIDRs:        []string{"10.0.0.0/8", "::1/128"},
		AggregationInterval: 10 * time.Second,
		BufferSize:          500,
		Temporality:         "cumulative",
		IsMonotonicCounter:  true,
		CounterType:         "float",
		Gauges:              GaugesConfig{Resend: true, Signed: "absolute"},
		Counters:            CountersConfig{NonMonotonic: []string{`sessions\..*`}},
		TimerUnit:           "s",
		NameCleaning:        "prometheus",
		Sets:                SetsConfig{ExactLimit: 100},
		SeriesExpiry:        time.Minute,
		TimerHistogramMapping: []MappingConfig{
			{StatsdType: "timing", ObserverType: "histogram", Histogram: HistogramConfig{MaxSize: 100, ExplicitBuckets: []ExplicitBucketsConfig{
				{MatcherPattern: "foo.*", Buckets: []float64{1, 10, 100}},
				{MatcherPattern: "bar.*", Buckets: []float64{0.1, 0.5, 1}},
			}}},
			{StatsdType: "histogram", ObserverType: "gauge"},
			{StatsdType: "distribution", ObserverType: "summary", Summary: SummaryConfig{Percentiles: []float64{0, 10, 99.9}}},
		},
		Timestamps:         "ignore",
		UnknownFields:      "reject",
		TagFormats:         []string{"dogstatsd", "graphite"},
		Compatibility:      "none",
		Origin:             "ip",
		IPOnlyAggregation:  true,
		EnableMetricType:   true,
		ResourceAttributes: map[string]any{"service.name": "edge", "shard": 3},
		Limits: LimitsConfig{
			MaxSeries: 1000, MemoryLimitMiB: 64, MaxAliases: 3000, MaxTags: 10, MaxNameBytes: 100, MinSampleRate: 0.001,
		},
	}, load(t, "metricsudp/all"))
}

func TestUnknownKeyIsRefused(t *testing.T) {
	for _, key := range []string{"endpont", "limits::max_serie", "gauges::resent"} {
		conf := confmap.NewFromStringMap(map[string]any{})
		require.NoError(t, conf.Merge(confmap.NewFromStringMap(map[string]any{key: 1})))
		require.Error(t, conf.Unmarshal(createDefaultConfig()), key)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Endpoint = "localhost" }, `endpoint: must be host:port (got "localhost")`},
		{func(c *Config) { c.Endpoint = "localhost:65536" }, `endpoint: must be host:port (got "localhost:65536")`},
		{func(c *Config) { c.Transport = "icmp" }, `transport: must be one of udp, udp4, udp6, tcp, tcp4, tcp6, unixgram, unix (got "icmp")`},
		{func(c *Config) { c.Readers = -1 }, `readers: must be from 0 to`},
		{func(c *Config) { c.ReadBatchSize = 0 }, `read_batch_size: must be from 1 to 1024 (got 0)`},
		{func(c *Config) { c.MaxDatagramSize = 65528 }, `max_datagram_size: must be from 1 to 65527 (got 65528)`},
		{func(c *Config) { c.SocketBufferSize = -1 }, `socket_buffer_size: must be from 0 to 1073741823 (got -1)`},
		{func(c *Config) { c.AllowedCIDRs = []string{"::/0", "10.0.0.1"} }, `allowed_cidrs::1: must be an address range such as 10.0.0.0/8 (got "10.0.0.1")`},
		{func(c *Config) { c.Gauges.Signed = "" }, `gauges::signed: must be one of change, interval, absolute (got "")`},
		{func(c *Config) { c.TimerUnit = "us" }, `timer_unit: must be one of ms, s (got "us")`},
		{func(c *Config) { c.NameCleaning = "graphite" }, `name_cleaning: must be one of none, etsy, prometheus (got "graphite")`},
		{func(c *Config) { c.Counters.NonMonotonic = []string{"a", "("} }, `counters::non_monotonic::1: must be a regular expression (got "(")`},
		{func(c *Config) { c.IsMonotonicCounter, c.Counters.NonMonotonic = false, []string{"a"} }, `counters::non_monotonic: must be left out if is_monotonic_counter is false, as then every counter accepts decrements (got [a])`},
		{func(c *Config) { c.Counters.NonMonotonic = []string{""} }, `counters::non_monotonic::0: must be an expression that matches a name (got "")`},
		{func(c *Config) { c.SocketBufferSize = 1 << 30 }, `socket_buffer_size: must be from 0 to 1073741823 (got 1073741824)`},
		{func(c *Config) { c.AggregationInterval = 0 }, `aggregation_interval: must be from 1ms to 24h0m0s (got 0s)`},
		{func(c *Config) { c.AggregationInterval = 24*time.Hour + 1 }, `aggregation_interval: must be from 1ms to 24h0m0s (got 24h0m0.000000001s)`},
		{func(c *Config) { c.AggregationInterval = 1_300_000 * time.Hour }, `aggregation_interval: must be from 1ms to 24h0m0s (got 1300000h0m0s)`},
		{func(c *Config) { c.AggregationInterval = math.MaxInt64 }, `aggregation_interval: must be from 1ms to 24h0m0s (got 2562047h47m16.854775807s)`},
		{func(c *Config) { c.AggregationInterval = math.MinInt64 }, `aggregation_interval: must be from 1ms to 24h0m0s (got -2562047h47m16.854775808s)`},
		{func(c *Config) { c.SeriesExpiry = 9 * time.Second }, `series_expiry: must be at least 2 times aggregation_interval, 10s (got 9s)`},
		{func(c *Config) { c.SeriesExpiry = math.MaxInt64 }, `series_expiry: must be from 2ms to 720h0m0s (got 2562047h47m16.854775807s)`},
		{func(c *Config) { c.BufferSize = 1_000_001 }, `buffer_size: must be from 1 to 1000000 (got 1000001)`},
		{func(c *Config) { c.BufferSize = 0 }, `buffer_size: must be from 1 to`},
		{func(c *Config) { c.Temporality = "Delta" }, `temporality: must be one of delta, cumulative (got "Delta")`},
		{func(c *Config) { c.CounterType = "" }, `counter_type: must be one of int, float, stochastic_int (got "")`},
		{func(c *Config) { c.Timestamps = "drop" }, `timestamps: must be one of passthrough, ignore (got "drop")`},
		{func(c *Config) { c.UnknownFields = "drop" }, `unknown_fields: must be one of ignore, reject (got "drop")`},
		{func(c *Config) { c.Compatibility = "" }, `compatibility: must be one of none, statsd (got "")`},
		{func(c *Config) { c.Compatibility = "gostatsd" }, `compatibility: must be one of none, statsd (got "gostatsd")`},
		{func(c *Config) { c.TagFormats = []string{"influx", "plain"} }, `tag_formats::1: must be one of dogstatsd, influx, librato, signalfx, graphite, lyft (got "plain")`},
		{func(c *Config) { c.TagFormats = []string{"influx", "influx"} }, `tag_formats::1: must be listed once (got "influx")`},
		{func(c *Config) { c.Sets.ExactLimit = 0 }, `sets::exact_limit: must be from 1 to 1048576 (got 0)`},
		{func(c *Config) { c.Limits.MaxSeries = 0 }, `limits::max_series: must be from 1 to`},
		{func(c *Config) { c.Limits.MemoryLimitMiB = 0 }, `limits::memory_limit_mib: must be from 1 to 1048576 (got 0)`},
		{func(c *Config) { c.Limits.MaxAliases = 0 }, `limits::max_aliases: must be from 1 to`},
		{func(c *Config) { c.Limits.MaxTags = 0 }, `limits::max_tags: must be from 1 to 8192 (got 0)`},
		{func(c *Config) { c.Limits.MaxNameBytes = 8193 }, `limits::max_name_bytes: must be from 1 to 8192 (got 8193)`},
		{func(c *Config) { c.Limits.MaxSeries = 10_000_001 }, `limits::max_series: must be from 1 to 10000000 (got 10000001)`},
		{func(c *Config) { c.Limits.MaxAliases = 20_000_001 }, `limits::max_aliases: must be from 1 to 20000000 (got 20000001)`},
		{func(c *Config) { c.Limits.MinSampleRate = 0 }, `limits::min_sample_rate: must be from 1e-09 to 1 (got 0)`},
		{func(c *Config) { c.Limits.MinSampleRate = 5e-324 }, `limits::min_sample_rate: must be from 1e-09 to 1 (got 5e-324)`},
		{func(c *Config) { c.Limits.MinSampleRate = math.NaN() }, `limits::min_sample_rate: must be from 1e-09 to 1 (got NaN)`},
		{func(c *Config) { c.Limits.MinSampleRate = math.Inf(1) }, `limits::min_sample_rate: must be from 1e-09 to 1 (got +Inf)`},
		{func(c *Config) { c.ResourceAttributes = map[string]any{"x": struct{}{}} }, `resource_attributes: must be attribute values`},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			tt.change(cfg)
			require.ErrorContains(t, cfg.Validate(), tt.want)
		})
	}
}

// The widest configuration that is accepted allocates 256 MiB of read buffers.
func TestBuffersAreBoundedTogether(t *testing.T) {
	if socket.MaxSockets == 1 {
		t.Skip("one socket a port on this system")
	}
	const (
		payloads = "max_datagram_size: must be such that readers x read_batch_size x max_datagram_size is at most 268435456 bytes"
		kernel   = "socket_buffer_size: must be such that readers x socket_buffer_size is at most 4294967296 bytes"
	)
	for _, tt := range []struct {
		readers, batch, datagram, buffer int
		want                             string
	}{
		{0, 1024, 65527, 1<<30 - 1, ""},
		{4, 1024, 65527, 1<<30 - 1, ""},
		{64, 64, 65527, 1 << 26, ""},
		{64, 1024, 4096, 1 << 26, ""},
		{64, 1024, 65527, 0, payloads + " (got 64 x 1024 x 65527)"},
		{64, 1024, 4097, 0, payloads + " (got 64 x 1024 x 4097)"},
		{64, 1, 1, 1<<26 + 1, kernel + " (got 64 x 67108865)"},
		{5, 1, 1, 1<<30 - 1, kernel + " (got 5 x 1073741823)"},
	} {
		cfg := createDefaultConfig().(*Config)
		cfg.Readers, cfg.ReadBatchSize, cfg.MaxDatagramSize, cfg.SocketBufferSize = tt.readers, tt.batch, tt.datagram, tt.buffer
		if tt.want == "" {
			require.NoError(t, cfg.Validate())
			continue
		}
		require.EqualError(t, cfg.Validate(), tt.want)
	}
}

// A table rotates twice within series_expiry, so every accepted configuration has an interval for each rotation.
func TestEveryAcceptedExpiryIsTwoIntervals(t *testing.T) {
	durations := []time.Duration{
		math.MinInt64, -1, 0, 1, time.Millisecond, 2 * time.Millisecond, time.Hour, maxInterval, 2 * maxInterval, maxExpiry,
		maxExpiry + 1, 1_300_000 * time.Hour, math.MaxInt64 / 2, math.MaxInt64/2 + 1, math.MaxInt64,
	}
	accepted := 0
	for _, interval := range durations {
		for _, expiry := range durations {
			cfg := createDefaultConfig().(*Config)
			cfg.AggregationInterval, cfg.SeriesExpiry = interval, expiry
			if cfg.Validate() == nil {
				accepted++
				o, err := cfg.seriesOptions()
				require.NoError(t, err)
				assert.GreaterOrEqual(t, o.ExpirySwaps, uint64(minExpiry), "%s %s", interval, expiry)
			}
		}
	}
	assert.Positive(t, accepted)
}

func TestRestNeedsALargeBuffer(t *testing.T) {
	assert.Zero(t, rest(0), "unknown")
	assert.Zero(t, rest(212_992), "the kernel's default limit")
	assert.Equal(t, 3*time.Millisecond, rest(4<<20))
	assert.Equal(t, maxRest, rest(8<<20))
	assert.Equal(t, maxRest, rest(1<<30))
}
