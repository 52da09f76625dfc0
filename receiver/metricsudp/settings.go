package metricsudp

import (
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

func (c *Config) socketSettings() socket.Settings {
	return socket.Settings{
		Network: c.Transport, Address: c.Endpoint, Count: c.readers(),
		BufferBytes: c.SocketBufferSize, MaxDatagram: c.MaxDatagramSize, Batch: c.ReadBatchSize,
		NeedsSources: len(c.AllowedCIDRs) > 0,
	}
}

func (c *Config) seriesOptions() series.Options {
	return series.Options{
		Limits: line.Limits{
			NameBytes: c.Limits.MaxNameBytes, TagBytes: series.MaxFieldBytes, MinRate: c.Limits.MinSampleRate,
		},
		MaxSeries: c.Limits.MaxSeries, MaxAliases: c.Limits.MaxAliases, MaxTags: c.Limits.MaxTags,
		Tables:      c.readers(),
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
