package bench

import (
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/statsdreceiver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp"
)

// The default configuration of the statsd receiver, with all of its keys, gives the same as compatibility: statsd alone.
func TestStatsdKeys(t *testing.T) {
	written := confmap.New()
	require.NoError(t, written.Marshal(statsdreceiver.NewFactory().CreateDefaultConfig()))
	// The statsd receiver ignores this key for UDP sockets.
	require.True(t, written.Delete("socket_buffer_size"))
	require.NoError(t, written.Merge(confmap.NewFromStringMap(map[string]any{"compatibility": "statsd"})))
	got, err := decodes(metricsudp.NewFactory(), written.ToStringMap())
	require.NoError(t, err)
	want, err := decodes(metricsudp.NewFactory(), map[string]any{"compatibility": "statsd"})
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

// metricsudp refuses some configurations that the statsd receiver accepts. docs/metricsudp/switching.md lists them.
func TestStatsdConfigurationsRefused(t *testing.T) {
	for want, keys := range map[string]map[string]any{
		`endpoint: must be host:port (got "localhost:ntp"`: {"endpoint": "localhost:ntp"},
		"socket_permissions: must be an octal file mode":   {"transport": "unixgram", "endpoint": "/tmp/a.sock", "socket_permissions": 0o1777},
		"aggregation_interval: must be from 1ms to 24h":    {"aggregation_interval": "999us"},
		"aggregation_interval: must be from 1ms":           {"aggregation_interval": "25h"},
		"timer_histogram_mapping::1::statsd_type: must be a type that no other entry maps": {"timer_histogram_mapping": []any{
			map[string]any{"statsd_type": "timer", "observer_type": "gauge"}, map[string]any{"statsd_type": "timing", "observer_type": "gauge"},
		}},
		"buckets::1: must be greater than the one before": {"timer_histogram_mapping": []any{
			map[string]any{"statsd_type": "timer", "observer_type": "histogram", "histogram": map[string]any{
				"explicit_buckets": []any{map[string]any{"matcher_pattern": "a", "buckets": []any{1, 1}}},
			}},
		}},
	} {
		_, err := decodes(statsdreceiver.NewFactory(), keys)
		require.NoError(t, err)
		_, err = decodes(metricsudp.NewFactory(), switched(keys))
		require.ErrorContains(t, err, want)
	}
}

// decodes merges keys into the default configuration and validates the result.
func decodes(factory receiver.Factory, keys map[string]any) (any, error) {
	cfg := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(keys).Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}
