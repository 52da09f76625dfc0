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
	// minRest is the shortest sleep that the runtime's poller does not round up, maxRest where longer
	// ones save no more (BenchmarkLoopback, packed-slow).
	minRest = time.Millisecond
	maxRest = 4 * time.Millisecond
	// restBuffer is what a rest of minRest needs: the kernel's limit is twice that, so it holds what comes in
	// meanwhile at a million packed datagrams a second, each charged with 2,304 bytes.
	restBuffer = 5 << 18
)

// rest is how long a reader lets datagrams gather.
func rest(bufferBytes int) time.Duration {
	return min(time.Duration(bufferBytes/restBuffer)*minRest, maxRest)
}
