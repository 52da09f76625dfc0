package fallbacklog

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// Config of the exporter.
type Config struct {
	// Exporter is the wrapped exporter. Absent: everything goes to the log and stays there.
	Exporter ExporterConfig `mapstructure:"exporter"`
	// Timeout bounds one attempt. It overrides the wrapped exporter's own.
	Timeout time.Duration `mapstructure:"timeout"`
	// Budget is the longest that a caller waits before its data goes to the log.
	Budget  time.Duration `mapstructure:"budget"`
	Retry   RetryConfig   `mapstructure:"retry_on_failure"`
	Breaker BreakerConfig `mapstructure:"circuit_breaker"`
	// Queue is exporterhelper's, before all of this; off by default, since it acknowledges what is not durable.
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	// MetadataKeys name the client metadata that is kept with a record and restored when it is replayed.
	MetadataKeys []string         `mapstructure:"metadata_keys"`
	Log          LogConfig        `mapstructure:"log"`
	Replay       ReplayConfig     `mapstructure:"replay"`
	DeadLetter   DeadLetterConfig `mapstructure:"dead_letter"`
	Encryption   EncryptionConfig `mapstructure:"encryption"`
}

// RetryConfig spaces the attempts for one batch: InitialInterval, then Multiplier times longer each, MaxInterval at most.
type RetryConfig struct {
	MaxAttempts     int           `mapstructure:"max_attempts"`
	InitialInterval time.Duration `mapstructure:"initial_interval"`
	Multiplier      float64       `mapstructure:"multiplier"`
	MaxInterval     time.Duration `mapstructure:"max_interval"`
}

// BreakerConfig is explained in internal/breaker.
type BreakerConfig struct {
	FailureThreshold int           `mapstructure:"failure_threshold"`
	SuccessThreshold int           `mapstructure:"success_threshold"`
	OpenInterval     time.Duration `mapstructure:"open_interval"`
	MaxOpenInterval  time.Duration `mapstructure:"max_open_interval"`
}

// LogConfig says where the log is, how large it may become, and when it is durable.
type LogConfig struct {
	// Directory holds one directory per component, and in it one per signal.
	Directory         string        `mapstructure:"directory"`
	CreateDirectory   bool          `mapstructure:"create_directory"`
	Format            Format        `mapstructure:"format"`
	Compression       Compression   `mapstructure:"compression"`
	MaxSegmentSizeMiB int64         `mapstructure:"max_segment_size_mib"`
	MaxSegmentAge     time.Duration `mapstructure:"max_segment_age"`
	// MaxAge is how long a record is worth delivering; 0 is for ever.
	MaxAge time.Duration `mapstructure:"max_age"`
	// MaxDiskMiB is shared by the signals.
	MaxDiskMiB     int64         `mapstructure:"max_disk_mib"`
	MinFreeDiskMiB int64         `mapstructure:"min_free_disk_mib"`
	OnFull         OnFull        `mapstructure:"on_full"`
	Fsync          Fsync         `mapstructure:"fsync"`
	FsyncInterval  time.Duration `mapstructure:"fsync_interval"`
}

// Format is how the log's records are written. Both are read.
type Format string

// The formats.
const (
	FormatJSON  Format = "otlp_json"  // a line each
	FormatProto Format = "otlp_proto" // a frame each
)

// Compression of each frame's request. Both are read.
type Compression string

// The compressions.
const (
	CompressionNone Compression = "none"
	CompressionZstd Compression = "zstd"
)

// OnFull is what happens to data that the log has no room for.
type OnFull string

// The policies.
const (
	OnFullReject     OnFull = "reject"      // a retryable error to the caller
	OnFullDropOldest OnFull = "drop_oldest" // the oldest segment goes, counted
	OnFullDropNewest OnFull = "drop_newest" // the new data goes, counted
)

// Fsync is when the log is durable.
type Fsync string

// The modes.
const (
	FsyncBatch    Fsync = "batch"    // before the caller is answered
	FsyncInterval Fsync = "interval" // within FsyncInterval
	FsyncNone     Fsync = "none"     // when the kernel sees fit
)

// ReplayConfig says how the log drains.
type ReplayConfig struct {
	Enabled bool  `mapstructure:"enabled"`
	Order   Order `mapstructure:"order"`
	// Concurrency is how many of a signal's requests may be under way.
	Concurrency int `mapstructure:"concurrency"`
	// CoalesceMiB is up to which size records of the same metadata become one request; 0: each is its own.
	CoalesceMiB int `mapstructure:"coalesce_mib"`
	// MaxRequestsPerSecond and MaxMiBPerSecond bound each signal's replay; 0 leaves it to the downstream's answers.
	MaxRequestsPerSecond float64 `mapstructure:"max_requests_per_second"`
	MaxMiBPerSecond      float64 `mapstructure:"max_mib_per_second"`
	// MaxItemAge is how old a record may be when its turn comes; 0 is any age.
	MaxItemAge time.Duration `mapstructure:"max_item_age"`
}

// Order is the order in which the log is replayed.
type Order string

// The orders.
const (
	OrderAuto        Order = "auto"         // strict for metrics, unless a queue has several consumers; else oldest_first
	OrderOldestFirst Order = "oldest_first" // beside live data
	OrderNewestFirst Order = "newest_first" // by segment, beside live data
	OrderStrict      Order = "strict"       // and live data waits behind the log
)

// DeadLetterConfig keeps what the downstream refuses for good.
type DeadLetterConfig struct {
	Enabled    bool  `mapstructure:"enabled"`
	MaxDiskMiB int64 `mapstructure:"max_disk_mib"`
	// OnFull is reject or drop_oldest.
	OnFull OnFull `mapstructure:"on_full"`
}

const mib = 1 << 20

func createDefaultConfig() component.Config {
	return &Config{
		Timeout: 5 * time.Second,
		Budget:  5 * time.Second,
		Retry: RetryConfig{
			MaxAttempts: 5, InitialInterval: 100 * time.Millisecond, Multiplier: 2, MaxInterval: 30 * time.Second,
		},
		Breaker: BreakerConfig{
			FailureThreshold: 5, SuccessThreshold: 2, OpenInterval: 10 * time.Second, MaxOpenInterval: time.Minute,
		},
		Queue: configoptional.Default(exporterhelper.NewDefaultQueueConfig()),
		Log: LogConfig{
			Directory:         "/var/lib/otelcol/fallbacklog",
			CreateDirectory:   true,
			Format:            FormatJSON,
			Compression:       CompressionNone,
			MaxSegmentSizeMiB: 64,
			MaxSegmentAge:     5 * time.Minute,
			MaxDiskMiB:        10240,
			MinFreeDiskMiB:    1024,
			OnFull:            OnFullReject,
			Fsync:             FsyncBatch,
			FsyncInterval:     25 * time.Millisecond,
		},
		Replay:     ReplayConfig{Enabled: true, Order: OrderAuto, Concurrency: 2, CoalesceMiB: 1},
		DeadLetter: DeadLetterConfig{Enabled: true, MaxDiskMiB: 1024, OnFull: OnFullReject},
	}
}

// ExporterConfig is the wrapped exporter: one type over its settings.
type ExporterConfig struct {
	spec *nestedSpec
}

// Unmarshal takes the wrapped exporter's settings out as they are, so that they meet their own type and no other. Of
// its own it refuses numbers that decoding would change.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if conf.IsSet("exporter") {
		sub, err := conf.Sub("exporter")
		if err != nil {
			return fmt.Errorf("exporter: %w", err)
		}
		spec, err := parseNested(sub)
		if err != nil {
			return fmt.Errorf("exporter: %w", err)
		}
		c.Exporter.spec = &spec
		conf.Delete("exporter")
	}
	var e check.Errors
	check.Whole(&e, conf.ToStringMap(), c)
	if queue, ok := conf.Get("sending_queue").(map[string]any); ok {
		check.Whole(e.At("sending_queue"), queue, exporterhelper.QueueBatchConfig{})
	}
	refuseEmptyKey(&e, conf)
	if err := e.Err(); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// strict reports whether a signal is replayed in strict order. Stateful processors and most backends of metrics refuse what
// is older than what they have.
func (c *Config) strict(signal string) bool {
	if !c.Replay.Enabled {
		return false
	}
	if c.Replay.Order == OrderAuto {
		return signal == metrics.name && (!c.Queue.HasValue() || c.Queue.Get().NumConsumers == 1)
	}
	return c.Replay.Order == OrderStrict
}

// orderOf is the order of a signal that is not replayed newest first.
func (c *Config) orderOf(signal string) Order {
	if c.strict(signal) {
		return OrderStrict
	}
	return OrderOldestFirst
}

// Marshal never shows a secret of the wrapped exporter.
func (c ExporterConfig) Marshal(conf *confmap.Conf) error {
	if c.spec == nil {
		return nil
	}
	factory, _ := registeredFactory(c.spec.ID.Type()) // an unknown type is Validate's to report
	return conf.Merge(confmap.NewFromStringMap(c.spec.Redacted(factory)))
}
