package fallbacklog

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

func loadTestdata(t *testing.T, id string) *Config {
	t.Helper()
	return harness.LoadConfig(t, id, createDefaultConfig().(*Config))
}

// withFactories registers the factories for one test.
func withFactories(t *testing.T) {
	t.Helper()
	RegisterFactories(func() (map[component.Type]exporter.Factory, error) {
		m := map[component.Type]exporter.Factory{}
		for _, f := range []exporter.Factory{otlpexporter.NewFactory(), otlphttpexporter.NewFactory(), NewFactory()} {
			m[f.Type()] = f
		}
		return m, nil
	})
	t.Cleanup(func() { registered.Store(nil) })
}

func TestLoadConfig(t *testing.T) {
	empty := loadTestdata(t, "fallbacklog")
	assert.Equal(t, createDefaultConfig(), empty, "an empty configuration is the default one")
	require.NoError(t, confmap.Validate(empty))

	otlp := loadTestdata(t, "fallbacklog/otlp")
	require.NoError(t, confmap.Validate(otlp))
	assert.Equal(t, "otlp_grpc", otlp.Exporter.spec.ID.String())

	all := loadTestdata(t, "fallbacklog/all")
	require.NoError(t, confmap.Validate(all))
	assert.Equal(t, "otlp_http/eu", all.Exporter.spec.ID.String())
	all.Exporter = ExporterConfig{}
	assert.Equal(t, &Config{
		Timeout: 3 * time.Second,
		Budget:  4 * time.Second,
		Retry:   RetryConfig{MaxAttempts: 3, InitialInterval: 50 * time.Millisecond, Multiplier: 1.5, MaxInterval: 10 * time.Second},
		Breaker: BreakerConfig{FailureThreshold: 4, SuccessThreshold: 1, OpenInterval: 5 * time.Second, MaxOpenInterval: 30 * time.Second},
		Queue: configoptional.Some(exporterhelper.QueueBatchConfig{
			Sizer: exporterhelper.RequestSizerTypeItems, QueueSize: 50000, NumConsumers: 1, BlockOnOverflow: true,
			Batch: exporterhelper.NewDefaultQueueConfig().Batch,
		}),
		MetadataKeys: []string{"x-scope-orgid"},
		Log: LogConfig{
			Directory: "/data/fallbacklog", Format: FormatProto, Compression: CompressionZstd, MaxSegmentSizeMiB: 16, MaxSegmentAge: time.Minute, MaxAge: 24 * time.Hour,
			MaxDiskMiB: 2048, MinFreeDiskMiB: 512, OnFull: OnFullDropOldest, Fsync: FsyncInterval, FsyncInterval: 100 * time.Millisecond,
		},
		Replay: ReplayConfig{
			Enabled: true, Order: OrderStrict, Concurrency: 4, CoalesceMiB: 2, MaxRequestsPerSecond: 50, MaxMiBPerSecond: 1.5,
			MaxItemAge: 48 * time.Hour,
		},
		DeadLetter: DeadLetterConfig{Enabled: true, MaxDiskMiB: 128, OnFull: OnFullReject},
		Encryption: EncryptionConfig{Key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"},
	}, all)
}

func TestValidate(t *testing.T) {
	withFactories(t)
	wrappedIn := func(settings map[string]any) map[string]any {
		return map[string]any{"exporter": map[string]any{"otlp_grpc": settings}}
	}
	in := func(section, key string, value any) map[string]any {
		return map[string]any{section: map[string]any{key: value}}
	}
	for _, tc := range []struct {
		settings map[string]any
		want     string
	}{
		{map[string]any{"timeout": "0s"}, "timeout: must be from 1ms to 8760h0m0s (got 0s)"},
		{map[string]any{"budget": "-1s"}, "budget: must be from 1ms to 8760h0m0s (got -1s)"},
		{in("log", "format", "otlp_xml"), `log::format: must be one of otlp_json, otlp_proto (got "otlp_xml")`},
		{in("retry_on_failure", "max_attempts", 0), "retry_on_failure::max_attempts: must be at least 1 (got 0)"},
		{in("retry_on_failure", "initial_interval", "0s"), "retry_on_failure::initial_interval: must be from 1ms to 8760h0m0s (got 0s)"},
		{in("retry_on_failure", "multiplier", 0.5), "retry_on_failure::multiplier: must be from 1 to 1000 (got 0.5)"},
		{in("retry_on_failure", "max_interval", "1ms"), "retry_on_failure::max_interval: must be from initial_interval to 8760h0m0s (got 1ms)"},
		{in("circuit_breaker", "failure_threshold", 0), "circuit_breaker::failure_threshold: must be at least 1 (got 0)"},
		{in("circuit_breaker", "success_threshold", 0), "circuit_breaker::success_threshold: must be at least 1 (got 0)"},
		{in("circuit_breaker", "open_interval", "0s"), "circuit_breaker::open_interval: must be from 10ms to 8760h0m0s (got 0s)"},
		{in("circuit_breaker", "max_open_interval", "1s"), "circuit_breaker::max_open_interval: must be from open_interval to 8760h0m0s (got 1s)"},
		{in("log", "directory", ""), `log::directory: must be set (got "")`},
		{in("log", "max_segment_size_mib", 0), "log::max_segment_size_mib: must be from 1 to 4398046511103 (got 0)"},
		{in("log", "max_segment_age", "-1s"), "log::max_segment_age: must be 0 or more (got -1s)"},
		{in("log", "max_age", "-1s"), "log::max_age: must be 0 or more (got -1s)"},
		{in("log", "max_disk_mib", 63), "log::max_disk_mib: must be at least max_segment_size_mib (got 63)"},
		{in("log", "min_free_disk_mib", -1), "log::min_free_disk_mib: must be from 0 to 4398046511103 (got -1)"},
		{in("log", "on_full", "panic"), "log::on_full: must be one of reject, drop_oldest, drop_newest (got \"panic\")"},
		{in("log", "fsync", "maybe"), "log::fsync: must be one of batch, interval, none (got \"maybe\")"},
		{map[string]any{"log": map[string]any{"fsync": "interval", "fsync_interval": "0s"}}, "log::fsync_interval: must be from 1ms to 30s (got 0s)"},
		{in("replay", "order", "random"), "replay::order: must be one of auto, oldest_first, newest_first, strict (got \"random\")"},
		{in("replay", "concurrency", 0), "replay::concurrency: must be from 1 to 64 (got 0)"},
		{in("replay", "coalesce_mib", 65), "replay::coalesce_mib: must be from 0 to 64 (got 65)"},
		{in("replay", "max_mib_per_second", math.NaN()), "replay::max_mib_per_second: must be from 0 to 1e+06 (got NaN)"},
		{in("replay", "max_item_age", "-1s"), "replay::max_item_age: must be 0 or more (got -1s)"},
		{in("replay", "max_requests_per_second", -1), "replay::max_requests_per_second: must be from 0 to 1e+06 (got -1)"},
		{in("dead_letter", "max_disk_mib", 0), "dead_letter::max_disk_mib: must be from 1 to 4398046511103 (got 0)"},
		{in("log", "max_disk_mib", int64(1<<44)), "log::max_disk_mib: must be from 1 to 4398046511103 (got 17592186044416)"},
		{in("log", "max_disk_mib", int64(math.MaxInt64)), "log::max_disk_mib: must be from 1 to"},
		{in("log", "min_free_disk_mib", int64(1<<44)), "log::min_free_disk_mib: must be from 0 to"},
		{in("log", "max_segment_size_mib", int64(math.MaxInt64)), "log::max_segment_size_mib: must be from 1 to"},
		{in("dead_letter", "max_disk_mib", int64(1<<44)), "dead_letter::max_disk_mib: must be from 1 to"},
		{in("retry_on_failure", "multiplier", math.NaN()), "retry_on_failure::multiplier: must be from 1 to 1000 (got NaN)"},
		{in("retry_on_failure", "multiplier", math.Inf(1)), "retry_on_failure::multiplier: must be from 1 to 1000 (got +Inf)"},
		{in("replay", "max_requests_per_second", math.NaN()), "replay::max_requests_per_second: must be from 0 to 1e+06 (got NaN)"},
		{in("replay", "max_requests_per_second", math.Inf(1)), "replay::max_requests_per_second: must be from 0 to 1e+06 (got +Inf)"},
		{in("log", "fsync_interval", "-1s"), "log::fsync_interval: must be from 1ms to 30s (got -1s)"},
		{in("log", "fsync_interval", "1ns"), "log::fsync_interval: must be from 1ms to 30s (got 1ns)"},
		{in("circuit_breaker", "open_interval", "1ns"), "circuit_breaker::open_interval: must be from 10ms to 8760h0m0s (got 1ns)"},
		{in("circuit_breaker", "max_open_interval", "1ns"), "circuit_breaker::max_open_interval: must be from open_interval to 8760h0m0s (got 1ns)"},
		{in("circuit_breaker", "max_open_interval", "10000h"), "circuit_breaker::max_open_interval: must be from open_interval to 8760h0m0s (got 10000h0m0s)"},
		{in("retry_on_failure", "initial_interval", "1ns"), "retry_on_failure::initial_interval: must be from 1ms to 8760h0m0s (got 1ns)"},
		{in("exporter", "nosuch", nil), "exporter: must be an exporter that is compiled in: otlp_grpc, otlp_http (got nosuch)"},
		{in("exporter", "fallbacklog", nil), "exporter: must be another exporter (got fallbacklog)"},
		{wrappedIn(map[string]any{"endpoint": "x:1", "endpont": "y"}), "endpont"},
		{wrappedIn(map[string]any{}), `requires a non-empty "endpoint"`},
		{wrappedIn(map[string]any{"endpoint": "x:1", "sending_queue": map[string]any{"enabled": true}}), "otlp_grpc::sending_queue: must be absent or disabled"},
		{wrappedIn(map[string]any{"endpoint": "x:1", "retry_on_failure": map[string]any{"max_interval": "1s"}}), "otlp_grpc::retry_on_failure: must be absent or disabled"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			require.ErrorContains(t, confmap.Validate(loadConfig(t, tc.settings)), tc.want)
		})
	}
	require.NoError(t, confmap.Validate(loadConfig(t, wrappedIn(map[string]any{"endpoint": "x:1", "sending_queue": map[string]any{"enabled": false}}))))
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, tc := range []struct {
		settings map[string]any
		want     string
	}{
		{map[string]any{"exporter": map[string]any{"a": nil, "b": nil}}, "exporter: must name exactly one exporter (got 2: a, b)"},
		{map[string]any{"exporter": map[string]any{}}, "exporter: must name exactly one exporter (got 0: )"},
		{map[string]any{"exporter": nil}, "exporter: must name exactly one exporter (got 0: )"},
		{map[string]any{"exporter": "otlp_grpc"}, "exporter"},
		{map[string]any{"exporter": map[string]any{"not a type": nil}}, "exporter"},
		{map[string]any{"sending_queue": map[string]any{"enabled": "perhaps"}}, "sending_queue"},
		{map[string]any{"sending_queue": map[string]any{"size": 1}}, "sending_queue"},
		{map[string]any{"log": map[string]any{"format": 1.5}}, "format"},
		{map[string]any{"log": map[string]any{"max_disk_mib": "many"}}, "max_disk_mib"},
		{map[string]any{"log": map[string]any{"max_disk_mib": 10.5}}, "log::max_disk_mib: must be a whole number from"},
		{map[string]any{"retry_on_failure": map[string]any{"max_attempts": 1.5}}, "retry_on_failure::max_attempts: must be a whole number from"},
		{map[string]any{"timeout": 0.5}, "timeout: must be a whole number from"},
	} {
		t.Run(fmt.Sprint(tc.settings), func(t *testing.T) {
			err := confmap.NewFromStringMap(tc.settings).Unmarshal(createDefaultConfig().(*Config))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// print-config marshals the configuration. With the factories registered it shows everything except secrets. Without them it
// shows nothing of the wrapped exporter.
func TestMarshalNeverShowsSecrets(t *testing.T) {
	cfg := loadTestdata(t, "fallbacklog/all")
	show := func() string {
		conf := confmap.New()
		require.NoError(t, conf.Marshal(cfg))
		return fmt.Sprint(conf.ToStringMap())
	}
	assert.NotContains(t, show(), "secret")
	assert.Contains(t, show(), "otlp_http/eu")
	withFactories(t)
	assert.NotContains(t, show(), "secret")
	assert.Contains(t, show(), "https://backend:4318")
}

func TestStartRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, tc := range map[string]struct {
		settings map[string]any
		want     string
	}{
		"missing directory": {
			map[string]any{"log": map[string]any{"directory": filepath.Join(dir, "missing"), "create_directory": false}},
			"log::directory: must exist, or create_directory be true",
		},
		"a file":           {map[string]any{"log": map[string]any{"directory": file}}, "log::directory: mkdir"},
		"unknown exporter": {map[string]any{"exporter": map[string]any{"nosuch": nil}}, "exporter: must be an exporter that is compiled in (got nosuch)"},
		"nested typo":      {map[string]any{"exporter": map[string]any{"otlp_grpc": map[string]any{"endpont": "x"}}}, "endpont"},
		"nested queue": {map[string]any{"exporter": map[string]any{"otlp_grpc": map[string]any{
			"endpoint": "x:1", "sending_queue": map[string]any{"queue_size": 5},
		}}}, "otlp_grpc::sending_queue: must be absent or disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), tc.settings))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestStartRefusesAReadOnlyDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	if os.Geteuid() == 0 {
		dir = "/sys" // even root cannot create directories there
	}
	_, err := tryGateway(t, newTestHost(), loadConfig(t, testSettings(dir)))
	require.ErrorIs(t, err, os.ErrPermission)
}

// Metrics are replayed in strict order, unless a queue has several consumers or the configuration sets another order.
func TestDefaultOrder(t *testing.T) {
	order := func(o string) map[string]any { return map[string]any{"replay": map[string]any{"order": o}} }
	queue := func(consumers int) map[string]any {
		return map[string]any{"sending_queue": map[string]any{"enabled": true, "num_consumers": consumers}}
	}
	for name, tc := range map[string]struct {
		settings []map[string]any
		want     map[string]Order
	}{
		"default":       {nil, map[string]Order{"metrics": OrderStrict, "traces": OrderOldestFirst, "logs": OrderOldestFirst}},
		"one consumer":  {[]map[string]any{queue(1)}, map[string]Order{"metrics": OrderStrict, "logs": OrderOldestFirst}},
		"two consumers": {[]map[string]any{queue(2)}, map[string]Order{"metrics": OrderOldestFirst}},
		"oldest first":  {[]map[string]any{order("oldest_first")}, map[string]Order{"metrics": OrderOldestFirst}},
		"strict":        {[]map[string]any{order("strict")}, map[string]Order{"metrics": OrderStrict, "logs": OrderStrict}},
		"no replay": {
			[]map[string]any{{"replay": map[string]any{"enabled": false}}}, map[string]Order{"metrics": OrderOldestFirst},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := loadConfig(t, tc.settings...)
			for signal, want := range tc.want {
				assert.Equal(t, want, cfg.orderOf(signal), signal)
			}
		})
	}
}
