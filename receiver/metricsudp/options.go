package metricsudp

import (
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

func (c *Config) socketOptions() socket.Options {
	return socket.Options{
		Network: c.Transport, Address: c.endpoint(), Permissions: fs.FileMode(c.permissions()), Count: c.readers(),
		BufferBytes: c.SocketBufferSize, MaxDatagramBytes: c.MaxDatagramSize, ReadBatchSize: c.ReadBatchSize,
		NeedsSources: len(c.AllowedCIDRs) > 0 || c.origin() == series.OriginIP,
	}
}

func (c *Config) seriesOptions() (series.Options, error) {
	observers, err := c.observers()
	if err != nil {
		return series.Options{}, err
	}
	var e check.Errors
	nonMonotonic := check.Regexps(e.At("counters"), "non_monotonic", c.Counters.NonMonotonic)
	return series.Options{
		Limits: line.Limits{
			NameBytes: c.Limits.MaxNameBytes, TagBytes: series.MaxFieldBytes, MinRate: c.Limits.MinSampleRate,
			NameFormats: c.nameFormats(), NoTagField: !slices.Contains(c.TagFormats, tagFieldFormat),
			RefuseUnknown: c.UnknownFields == unknownFieldsReject,
		},
		MaxSeries: c.Limits.MaxSeries, MaxAliases: c.Limits.MaxAliases, MaxTags: c.Limits.MaxTags,
		Origin:       c.origin(),
		SimpleTags:   c.EnableSimpleTags,
		MetricType:   c.EnableMetricType,
		MaxBytes:     int64(c.Limits.MemoryLimitMiB) << 20,
		Monotonic:    c.IsMonotonicCounter,
		NonMonotonic: nonMonotonic,
		IntCounters:  c.CounterType != counterFloat,
		Random:       c.random(),
		SetLimit:     c.Sets.ExactLimit,

		TimerSeconds: c.TimerUnit == timerSeconds,
		Cleaning:     nameCleanings[c.NameCleaning],
		SignedGauges: signedGauges[c.Gauges.Signed],
		Observers:    observers,
		// A cumulative sum cannot include a point with a time of its own.
		TimedCounters: c.Timestamps == timestampsPassthrough && c.Temporality == temporalityDelta,
		TimedGauges:   c.Timestamps == timestampsPassthrough,
		TimedPoints:   c.BufferSize,
		ExpirySwaps:   uint64(c.SeriesExpiry / c.AggregationInterval),
	}, e.Err()
}

var signedGauges = map[string]series.SignedGauges{
	signedChange: series.SignedIsChange, signedInterval: series.SignedIsIntervalChange, signedAbsolute: series.SignedIsAbsolute,
}

var nameCleanings = map[string]series.NameCleaning{
	cleaningNone: series.CleanNothing, cleaningEtsy: series.CleanEtsy, cleaningPrometheus: series.CleanPrometheus,
}

// random returns a function that creates a random source with a random seed. It returns nil unless counters are rounded by chance.
func (c *Config) random() func() rand.Source {
	if c.CounterType != counterStochasticInt {
		return nil
	}
	return func() rand.Source { return rand.NewPCG(rand.Uint64(), rand.Uint64()) }
}

const (
	// minRest is the shortest sleep that the runtime's poller does not round up.
	minRest = time.Millisecond
	// maxRest is the rest for which the default receive buffer has room: its 8 MiB are six times restBuffer.
	maxRest = 6 * time.Millisecond
	// restBuffer is the receive buffer, in bytes, that a rest of minRest needs. The kernel's limit is twice that. It has room
	// for a million packed datagrams per second, each charged with 2,304 bytes.
	restBuffer = 5 << 18
)

// rest returns the time for which a reader lets datagrams gather.
func rest(bufferBytes int) time.Duration {
	return min(time.Duration(bufferBytes/restBuffer)*minRest, maxRest)
}
