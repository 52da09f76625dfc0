package metricsudp

import (
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

func (c *Config) socketSettings() socket.Settings {
	return socket.Settings{
		Network: c.Transport, Address: c.endpoint(), Permissions: c.permissions(), Count: c.readers(),
		BufferBytes: c.SocketBufferSize, MaxDatagram: c.MaxDatagramSize, Batch: c.ReadBatchSize,
		NeedsSources: len(c.AllowedCIDRs) > 0,
	}
}

func (c *Config) seriesOptions() series.Options {
	return series.Options{
		Limits: line.Limits{
			NameBytes: c.Limits.MaxNameBytes, TagBytes: series.MaxFieldBytes, MinRate: c.Limits.MinSampleRate,
			RefuseUnknown: c.UnknownFields == unknownFieldsReject,
		},
		MaxSeries: c.Limits.MaxSeries, MaxAliases: c.Limits.MaxAliases, MaxTags: c.Limits.MaxTags,
		Tables:      c.readers(),
		SimpleTags:  c.EnableSimpleTags,
		MetricType:  c.EnableMetricType,
		MaxBytes:    int64(c.Limits.MemoryLimitMiB) << 20,
		Monotonic:   c.IsMonotonicCounter,
		IntCounters: c.CounterType == counterInt,
		SetLimit:    c.Sets.ExactLimit,
		// A point with a time of its own has no place in a cumulative sum.
		TimedCounters: c.Timestamps == timestampsPassthrough && c.Temporality == temporalityDelta,
		TimedGauges:   c.Timestamps == timestampsPassthrough,
		TimedPoints:   c.BufferSize,
		ExpirySwaps:   uint64(c.SeriesExpiry / c.AggregationInterval),
	}
}

const (
	// restTime is the shortest sleep that the runtime's poller does not round up.
	restTime = time.Millisecond
	// restBuffer holds what comes in meanwhile at a million datagrams a second, each
	// of which takes about 1 KiB of the kernel's memory.
	restBuffer = 1 << 20
)

// rest is how long a reader lets datagrams gather.
func rest(bufferBytes int) time.Duration {
	if bufferBytes < restBuffer {
		return 0
	}
	return restTime
}
