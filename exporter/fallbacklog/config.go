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

// Config is the configuration of the exporter.
type Config struct {
	// Exporter is the wrapped exporter. If it is absent everything goes to the log and stays there.
	Exporter ExporterConfig `mapstructure:"exporter"`
	// Timeout bounds one attempt. It overrides the wrapped exporter's own.
	Timeout time.Duration `mapstructure:"timeout"`
	// Budget bounds the attempts for a live batch, and then again its append to the log.
	Budget  time.Duration `mapstructure:"budget"`
	Retry   RetryConfig   `mapstructure:"retry_on_failure"`
	Breaker BreakerConfig `mapstructure:"circuit_breaker"`
	// Queue is exporterhelper's queue in front of the exporter. It is off by default, because it acknowledges data that is not
	// durable.
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	// MetadataKeys are the names of the client metadata that is stored with a record and restored when it is replayed.
	MetadataKeys []string         `mapstructure:"metadata_keys"`
	Log          LogConfig        `mapstructure:"log"`
	Replay       ReplayConfig     `mapstructure:"replay"`
	DeadLetter   DeadLetterConfig `mapstructure:"dead_letter"`
	Encryption   EncryptionConfig `mapstructure:"encryption"`
}

// RetryConfig configures the attempts for one batch. The first pause is InitialInterval. Each further pause is Multiplier times
// longer, up to MaxInterval.
type RetryConfig struct {
	MaxAttempts     int           `mapstructure:"max_attempts"`
	InitialInterval time.Duration `mapstructure:"initial_interval"`
	Multiplier      float64       `mapstructure:"multiplier"`
	MaxInterval     time.Duration `mapstructure:"max_interval"`
}

// BreakerConfig configures the breaker, see internal/breaker.
type BreakerConfig struct {
	FailureThreshold int           `mapstructure:"failure_threshold"`
	SuccessThreshold int           `mapstructure:"success_threshold"`
	OpenInterval     time.Duration `mapstructure:"open_interval"`
	MaxOpenInterval  time.Duration `mapstructure:"max_open_interval"`
}

// LogConfig configures the place, the size and the durability of the log.
type LogConfig struct {
	// Directory contains one directory per component, which contains one directory per signal.
	Directory         string        `mapstructure:"directory"`
	CreateDirectory   bool          `mapstructure:"create_directory"`
	Format            Format        `mapstructure:"format"`
	Compression       Compression   `mapstructure:"compression"`
	MaxSegmentSizeMiB int64         `mapstructure:"max_segment_size_mib"`
	MaxSegmentAge     time.Duration `mapstructure:"max_segment_age"`
	// MaxAge is the age at which a record is deleted instead of delivered. 0: never.
	MaxAge time.Duration `mapstructure:"max_age"`
	// MaxDiskMiB bounds the logs of all signals together.
	MaxDiskMiB     int64         `mapstructure:"max_disk_mib"`
	MinFreeDiskMiB int64         `mapstructure:"min_free_disk_mib"`
	OnFull         OnFull        `mapstructure:"on_full"`
	Fsync          Fsync         `mapstructure:"fsync"`
	FsyncInterval  time.Duration `mapstructure:"fsync_interval"`
}

// Format is the format of new records. Both formats are read.
type Format string

// The formats.
const (
	FormatJSON  Format = "otlp_json"  // one line per record
	FormatProto Format = "otlp_proto" // one frame per record
)

// Compression is the compression of the request in each new frame. Both kinds are read.
type Compression string

// The compressions.
const (
	CompressionNone Compression = "none"
	CompressionZstd Compression = "zstd"
)

// OnFull is the policy for data that the log has no room for.
type OnFull string

// The policies.
const (
	OnFullReject     OnFull = "reject"      // a retryable error to the caller
	OnFullDropOldest OnFull = "drop_oldest" // the oldest segment is deleted and counted
	OnFullDropNewest OnFull = "drop_newest" // the new data is dropped and counted
)

// Fsync defines when the log is durable.
type Fsync string

// The modes.
const (
	FsyncBatch    Fsync = "batch"    // before the caller gets its answer
	FsyncInterval Fsync = "interval" // within FsyncInterval
	FsyncNone     Fsync = "none"     // when the kernel writes it
)

// ReplayConfig configures how the log drains.
type ReplayConfig struct {
	Enabled bool  `mapstructure:"enabled"`
	Order   Order `mapstructure:"order"`
	// Concurrency is the number of requests of a signal that may be in flight.
	Concurrency int `mapstructure:"concurrency"`
	// CoalesceMiB is the size up to which records with the same metadata are joined to one request. 0: each record is one
	// request.
	CoalesceMiB int `mapstructure:"coalesce_mib"`
	// MaxRequestsPerSecond and MaxMiBPerSecond bound each signal's replay. 0: only the downstream's answers bound it.
	MaxRequestsPerSecond float64 `mapstructure:"max_requests_per_second"`
	MaxMiBPerSecond      float64 `mapstructure:"max_mib_per_second"`
	// MaxItemAge is the largest age of a record when it is its turn. 0: no limit.
	MaxItemAge time.Duration `mapstructure:"max_item_age"`
}

// Order is the order in which the log is replayed.
type Order string

// The orders.
const (
	OrderAuto        Order = "auto"         // strict for metrics, unless a queue has several consumers; else oldest_first
	OrderOldestFirst Order = "oldest_first" // beside live data
	OrderNewestFirst Order = "newest_first" // by segment, beside live data
	OrderStrict      Order = "strict"       // live data waits behind the log
)

// DeadLetterConfig configures the log of the data that the downstream refuses for good.
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

// ExporterConfig is the wrapped exporter: its type over its settings.
type ExporterConfig struct {
	spec *wrappedSpec
}

// Unmarshal removes the wrapped exporter's settings from conf, so that only their own type decodes them. It refuses numbers of
// this exporter's own settings that decoding would change.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if conf.IsSet("exporter") {
		sub, err := conf.Sub("exporter")
		if err != nil {
			return fmt.Errorf("exporter: %w", err)
		}
		spec, err := parseWrapped(sub)
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

// strict reports whether a signal is replayed in strict order. Stateful processors and most metric backends refuse points that
// are older than points they already have.
func (c *Config) strict(signal string) bool {
	if !c.Replay.Enabled {
		return false
	}
	if c.Replay.Order == OrderAuto {
		return signal == metrics.name && (!c.Queue.HasValue() || c.Queue.Get().NumConsumers == 1)
	}
	return c.Replay.Order == OrderStrict
}

// orderOf returns the order of a signal that is not replayed newest first.
func (c *Config) orderOf(signal string) Order {
	if c.strict(signal) {
		return OrderStrict
	}
	return OrderOldestFirst
}

// Marshal hides the secrets of the wrapped exporter.
func (c ExporterConfig) Marshal(conf *confmap.Conf) error {
	if c.spec == nil {
		return nil
	}
	factory, _ := registeredFactory(c.spec.ID.Type()) // an unknown type is Validate's to report
	return conf.Merge(confmap.NewFromStringMap(c.spec.Redacted(factory)))
}
