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

func (c *Config) socketSettings() socket.Settings {
	return socket.Settings{
		Network: c.Transport, Address: c.endpoint(), Permissions: fs.FileMode(c.permissions()), Count: c.readers(),
		BufferBytes: c.SocketBufferSize, MaxDatagram: c.MaxDatagramSize, Batch: c.ReadBatchSize,
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
		// A point with a time of its own has no place in a cumulative sum.
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

// random seeds a source for each reader.
func (c *Config) random() func() rand.Source {
	if c.CounterType != counterStochasticInt {
		return nil
	}
	return func() rand.Source { return rand.NewPCG(rand.Uint64(), rand.Uint64()) }
}

const (
	// minRest is the shortest sleep that the runtime's poller does not round up, maxRest what the default
	// receive buffer has room for: 8 MiB are six times restBuffer.
	minRest = time.Millisecond
	maxRest = 6 * time.Millisecond
	// restBuffer is what a rest of minRest needs: the kernel's limit is twice that, so it holds what comes in
	// meanwhile at a million packed datagrams a second, each charged with 2,304 bytes.
	restBuffer = 5 << 18
)

// rest is how long a reader lets datagrams gather.
func rest(bufferBytes int) time.Duration {
	return min(time.Duration(bufferBytes/restBuffer)*minRest, maxRest)
}
