package metricsudp

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
)

func load(t *testing.T, name string) *Config {
	t.Helper()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := file.Sub(name)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, cfg.Validate())
	return cfg
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
		CounterType:         "float",
		Gauges:              GaugesConfig{Resend: true},
		Sets:                SetsConfig{ExactLimit: 100},
		SeriesExpiry:        time.Minute,
		Timestamps:          "ignore",
		UnknownFields:       "reject",
		ResourceAttributes:  map[string]any{"service.name": "edge", "shard": 3},
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
		{func(c *Config) { c.Transport = "tcp" }, `transport: must be one of udp, udp4, udp6, as a stream has no datagrams whose loss could be counted (got "tcp")`},
		{func(c *Config) { c.Transport = "icmp" }, `transport: must be one of udp, udp4, udp6 (got "icmp")`},
		{func(c *Config) { c.Readers = -1 }, `readers: must be from 0 to`},
		{func(c *Config) { c.ReadBatchSize = 0 }, `read_batch_size: must be from 1 to 1024 (got 0)`},
		{func(c *Config) { c.MaxDatagramSize = 65528 }, `max_datagram_size: must be from 1 to 65527 (got 65528)`},
		{func(c *Config) { c.SocketBufferSize = -1 }, `socket_buffer_size: must be from 0 to 1073741823 (got -1)`},
		{func(c *Config) { c.AllowedCIDRs = []string{"::/0", "10.0.0.1"} }, `allowed_cidrs::1: must be an address range such as 10.0.0.0/8 (got "10.0.0.1")`},
		{func(c *Config) { c.AggregationInterval = 0 }, `aggregation_interval: must be at least 1ms (got 0s)`},
		{func(c *Config) { c.SeriesExpiry = 9 * time.Second }, `series_expiry: must be at least 2 times aggregation_interval, 10s (got 9s)`},
		{func(c *Config) { c.BufferSize = 0 }, `buffer_size: must be from 1 to`},
		{func(c *Config) { c.Temporality = "Delta" }, `temporality: must be one of delta, cumulative (got "Delta")`},
		{func(c *Config) { c.CounterType = "" }, `counter_type: must be one of int, float (got "")`},
		{func(c *Config) { c.Timestamps = "drop" }, `timestamps: must be one of passthrough, ignore (got "drop")`},
		{func(c *Config) { c.UnknownFields = "drop" }, `unknown_fields: must be one of ignore, reject (got "drop")`},
		{func(c *Config) { c.Sets.ExactLimit = 0 }, `sets::exact_limit: must be from 1 to 1048576 (got 0)`},
		{func(c *Config) { c.Limits.MaxSeries = 0 }, `limits::max_series: must be from 1 to`},
		{func(c *Config) { c.Limits.MemoryLimitMiB = 0 }, `limits::memory_limit_mib: must be from 1 to 1048576 (got 0)`},
		{func(c *Config) { c.Limits.MaxAliases = 0 }, `limits::max_aliases: must be from 1 to`},
		{func(c *Config) { c.Limits.MaxTags = 0 }, `limits::max_tags: must be from 1 to 8192 (got 0)`},
		{func(c *Config) { c.Limits.MaxNameBytes = 8193 }, `limits::max_name_bytes: must be from 1 to 8192 (got 8193)`},
		{func(c *Config) { c.Limits.MinSampleRate = 0 }, `limits::min_sample_rate: must be above 0 and at most 1 (got 0)`},
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

func TestRestNeedsALargeBuffer(t *testing.T) {
	assert.Zero(t, rest(0), "unknown")
	assert.Zero(t, rest(212_992), "the kernel's default limit")
	assert.Equal(t, restTime, rest(4<<20))
}
