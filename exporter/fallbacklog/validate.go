package fallbacklog

import (
	"math"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

const (
	// maxMiB keeps the sum of two sizes in bytes within an int64.
	maxMiB = math.MaxInt64 / mib / 2
	// minFsyncInterval is about the duration of a sync on a solid-state disk: a shorter interval would mean that a sync is
	// always running.
	minFsyncInterval = time.Millisecond
	// minOpenInterval bounds the load of the probes on a downstream that is away, and on the gateway.
	minOpenInterval = 10 * time.Millisecond
	// maxInterval bounds all intervals: a timer of more than a year is a mistake.
	maxInterval = 365 * 24 * time.Hour
	// maxFsyncInterval is the longest time that the kernel itself keeps data unwritten.
	maxFsyncInterval = 30 * time.Second
	// Larger values have the same effect as no limit.
	maxMultiplier        = 1000
	maxRequestsPerSecond = 1e6
	maxMiBPerSecond      = 1e6
	// Each request in flight needs memory for its records, encoded and decoded: 64 requests of 64 MiB are 4 GiB encoded.
	maxConcurrency = 64
	maxCoalesceMiB = 64
)

// Validate returns all mistakes together.
func (c *Config) Validate() error {
	var e check.Errors
	check.Range(&e, "timeout", c.Timeout, time.Millisecond, maxInterval)
	check.Range(&e, "budget", c.Budget, time.Millisecond, maxInterval)
	c.Retry.validate(e.At("retry_on_failure"))
	c.Breaker.validate(e.At("circuit_breaker"))
	c.validateQueue(e.At("sending_queue"))
	validateMetadataKeys(&e, c.MetadataKeys)
	c.Log.validate(e.At("log"))
	c.Replay.validate(e.At("replay"))
	if c.DeadLetter.Enabled {
		check.Range(&e, "dead_letter::max_disk_mib", c.DeadLetter.MaxDiskMiB, 1, maxMiB)
		check.OneOf(&e, "dead_letter::on_full", c.DeadLetter.OnFull, OnFullReject, OnFullDropOldest)
	}
	c.validateEncryption(&e)
	e.Wrap("exporter", c.validateExporter())
	return e.Err()
}

func (c *RetryConfig) validate(e *check.Errors) {
	check.AtLeast(e, "max_attempts", c.MaxAttempts, 1)
	check.Range(e, "initial_interval", c.InitialInterval, time.Millisecond, maxInterval)
	check.Range(e, "multiplier", c.Multiplier, 1, maxMultiplier)
	e.That(c.MaxInterval >= c.InitialInterval && c.MaxInterval <= maxInterval, "max_interval",
		"from initial_interval to "+maxInterval.String(), c.MaxInterval)
}

func (c *BreakerConfig) validate(e *check.Errors) {
	check.AtLeast(e, "failure_threshold", c.FailureThreshold, 1)
	check.AtLeast(e, "success_threshold", c.SuccessThreshold, 1)
	check.Range(e, "open_interval", c.OpenInterval, minOpenInterval, maxInterval)
	e.That(c.MaxOpenInterval >= c.OpenInterval && c.MaxOpenInterval <= maxInterval, "max_open_interval",
		"from open_interval to "+maxInterval.String(), c.MaxOpenInterval)
}

func (c *LogConfig) validate(e *check.Errors) {
	e.That(c.Directory != "", "directory", "set", c.Directory)
	check.Range(e, "max_segment_size_mib", c.MaxSegmentSizeMiB, 1, maxMiB)
	check.NotNegative(e, "max_segment_age", c.MaxSegmentAge)
	check.NotNegative(e, "max_age", c.MaxAge)
	check.Range(e, "max_disk_mib", c.MaxDiskMiB, 1, maxMiB)
	e.That(c.MaxDiskMiB >= c.MaxSegmentSizeMiB, "max_disk_mib", "at least max_segment_size_mib", c.MaxDiskMiB)
	check.Range(e, "min_free_disk_mib", c.MinFreeDiskMiB, 0, maxMiB)
	check.OneOf(e, "format", c.Format, FormatJSON, FormatProto)
	check.OneOf(e, "compression", c.Compression, CompressionNone, CompressionZstd)
	e.That(c.Compression != CompressionZstd || c.Format == FormatProto, "format", "otlp_proto with compression: zstd", c.Format)
	check.OneOf(e, "on_full", c.OnFull, OnFullReject, OnFullDropOldest, OnFullDropNewest)
	check.OneOf(e, "fsync", c.Fsync, FsyncBatch, FsyncInterval, FsyncNone)
	check.Range(e, "fsync_interval", c.FsyncInterval, minFsyncInterval, maxFsyncInterval)
}

func (c *ReplayConfig) validate(e *check.Errors) {
	check.OneOf(e, "order", c.Order, OrderAuto, OrderOldestFirst, OrderNewestFirst, OrderStrict)
	check.Range(e, "concurrency", c.Concurrency, 1, maxConcurrency)
	check.Range(e, "coalesce_mib", c.CoalesceMiB, 0, maxCoalesceMiB)
	check.Range(e, "max_requests_per_second", c.MaxRequestsPerSecond, 0, maxRequestsPerSecond)
	check.Range(e, "max_mib_per_second", c.MaxMiBPerSecond, 0, maxMiBPerSecond)
	check.NotNegative(e, "max_item_age", c.MaxItemAge)
}
