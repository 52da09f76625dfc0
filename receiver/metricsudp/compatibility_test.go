package metricsudp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
)

// decode reads keys over the default configuration, like the Collector.
func decode(t *testing.T, keys map[string]any) (*Config, error) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	err := confmap.NewFromStringMap(keys).Unmarshal(cfg)
	return cfg, err
}

func TestStatsdDefaults(t *testing.T) {
	want := createDefaultConfig().(*Config)
	want.Compatibility = "statsd"
	want.AggregationInterval = time.Minute
	want.AlignInterval = false
	want.IsMonotonicCounter = false
	want.EnableSimpleTags = false
	want.Gauges.Signed = "interval"
	want.TimerHistogramMapping = []MappingConfig{
		{StatsdType: "timer", ObserverType: "gauge"},
		{StatsdType: "histogram", ObserverType: "gauge"},
		{StatsdType: "distribution", ObserverType: "gauge"},
	}
	want.BufferSize = 100_000
	got, err := decode(t, map[string]any{"compatibility": "statsd"})
	require.NoError(t, err)
	assert.Equal(t, want, got)
	require.NoError(t, got.Validate())
}

// Keys that are set have precedence over the defaults of either compatibility.
func TestSetKeysHoldOverStatsdDefaults(t *testing.T) {
	keys := map[string]any{
		"aggregation_interval": "1s", "align_interval": true, "is_monotonic_counter": true, "enable_simple_tags": true,
		"buffer_size": 7, "gauges": map[string]any{"signed": "change"}, "timer_histogram_mapping": []any{map[string]any{"statsd_type": "histogram", "observer_type": "summary"}},
	}
	none, err := decode(t, keys)
	require.NoError(t, err)
	keys["compatibility"] = "statsd"
	statsd, err := decode(t, keys)
	require.NoError(t, err)
	none.Compatibility = "statsd"
	assert.Equal(t, none, statsd)
}

// With compatibility statsd, keys that are empty or have no effect are accepted, as in contrib's statsd receiver. Without it they
// are not.
func TestEmptyKeysOfStatsd(t *testing.T) {
	for _, keys := range []map[string]any{
		{"endpoint": ""},
		{"counter_type": ""},
		{"socket_permissions": 0o600}, // of UDP
		{"dialer": map[string]any{"timeout": "1s"}},
	} {
		cfg, err := decode(t, keys)
		if err == nil {
			err = cfg.Validate()
		}
		require.Error(t, err, "%v", keys)
		keys["compatibility"] = "statsd"
		got, err := decode(t, keys)
		require.NoError(t, err)
		require.NoError(t, got.Validate())
		want, err := decode(t, map[string]any{"compatibility": "statsd"})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// If only the interval is set, series_expiry is long enough by default.
func TestExpiryFollowsTheInterval(t *testing.T) {
	for interval, want := range map[string]time.Duration{
		"1s": 5 * time.Minute, "150s": 5 * time.Minute, "151s": 302 * time.Second, "24h": 48 * time.Hour,
	} {
		for _, compatibility := range []string{"none", "statsd"} {
			cfg, err := decode(t, map[string]any{"compatibility": compatibility, "aggregation_interval": interval})
			require.NoError(t, err)
			require.NoError(t, cfg.Validate())
			assert.Equal(t, want, cfg.SeriesExpiry)
		}
	}
	cfg, err := decode(t, map[string]any{"aggregation_interval": "151s", "series_expiry": "301s"})
	require.NoError(t, err)
	require.EqualError(t, cfg.Validate(), "series_expiry: must be at least 2 times aggregation_interval, 5m2s (got 5m1s)")
	cfg, err = decode(t, map[string]any{"aggregation_interval": "2000000h"})
	require.NoError(t, err)
	require.ErrorContains(t, cfg.Validate(), "aggregation_interval: must be from 1ms to 24h0m0s")
}

// Decoding without the check would truncate or wrap each of these numbers.
func TestNumbersMustBeWhole(t *testing.T) {
	for _, path := range []string{
		"readers", "read_batch_size", "max_datagram_size", "socket_buffer_size", "buffer_size", "aggregation_interval",
		"series_expiry", "sets::exact_limit", "limits::max_series", "limits::memory_limit_mib", "limits::max_aliases",
		"limits::max_tags", "limits::max_name_bytes",
	} {
		for _, value := range []any{1.5, 1e19, uint64(1) << 63} {
			conf := confmap.New()
			require.NoError(t, conf.Merge(confmap.NewFromStringMap(map[string]any{path: value})))
			err := conf.Unmarshal(createDefaultConfig())
			require.ErrorContains(t, err, path+": must be a whole number from", "%v", value)
		}
	}
	_, err := decode(t, map[string]any{"timer_histogram_mapping": []any{
		map[string]any{"histogram": map[string]any{"max_size": 100.5}},
	}})
	require.ErrorContains(t, err, "timer_histogram_mapping::0::histogram::max_size: must be a whole number from")
}

func TestTimerUnit(t *testing.T) {
	for _, tt := range []struct{ compatibility, unit, want string }{
		{"none", "ms", "ms"}, {"none", "s", "s"}, {"statsd", "ms", ""}, {"statsd", "s", "s"},
	} {
		sink := new(consumertest.MetricsSink)
		r := start(t, sink, func(c *Config) { c.Compatibility, c.TimerUnit = tt.compatibility, tt.unit })
		r.send(t, "a:1|ms")
		require.NoError(t, r.Shutdown(t.Context()))
		require.Len(t, sink.AllMetrics(), 1)
		metric := sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
		assert.Equal(t, tt.want, metric.Unit())
	}
}
