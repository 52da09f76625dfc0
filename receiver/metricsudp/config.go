package metricsudp

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Config is the configuration of the receiver. README.md describes the keys.
type Config struct {
	Endpoint              string          `mapstructure:"endpoint"`
	Transport             string          `mapstructure:"transport"`
	SocketPermissions     *int            `mapstructure:"socket_permissions"` // nil: 0622
	Framing               string          `mapstructure:"framing"`            // "": that of the transport
	MaxConnections        *int            `mapstructure:"max_connections"`    // nil: 1024
	IdleTimeout           *time.Duration  `mapstructure:"idle_timeout"`       // nil: 10m
	Compatibility         string          `mapstructure:"compatibility"`
	Readers               int             `mapstructure:"readers"`
	ReadBatchSize         int             `mapstructure:"read_batch_size"`
	MaxDatagramSize       int             `mapstructure:"max_datagram_size"`
	SocketBufferSize      int             `mapstructure:"socket_buffer_size"`
	AllowedCIDRs          []string        `mapstructure:"allowed_cidrs"`
	AggregationInterval   time.Duration   `mapstructure:"aggregation_interval"`
	AlignInterval         bool            `mapstructure:"align_interval"`
	BufferSize            int             `mapstructure:"buffer_size"`
	Temporality           string          `mapstructure:"temporality"`
	IsMonotonicCounter    bool            `mapstructure:"is_monotonic_counter"`
	CounterType           string          `mapstructure:"counter_type"`
	Counters              CountersConfig  `mapstructure:"counters"`
	Gauges                GaugesConfig    `mapstructure:"gauges"`
	TimerUnit             string          `mapstructure:"timer_unit"`
	NameCleaning          string          `mapstructure:"name_cleaning"`
	Sets                  SetsConfig      `mapstructure:"sets"`
	SeriesExpiry          time.Duration   `mapstructure:"series_expiry"`
	TimerHistogramMapping []MappingConfig `mapstructure:"timer_histogram_mapping"`
	Timestamps            string          `mapstructure:"timestamps"`
	UnknownFields         string          `mapstructure:"unknown_fields"`
	TagFormats            []string        `mapstructure:"tag_formats"`
	Origin                string          `mapstructure:"origin"`
	IgnoreHost            bool            `mapstructure:"ignore_host"`
	IPOnlyAggregation     bool            `mapstructure:"enable_ip_only_aggregation"`
	EnableMetricType      bool            `mapstructure:"enable_metric_type"`
	EnableSimpleTags      bool            `mapstructure:"enable_simple_tags"`
	ResourceAttributes    map[string]any  `mapstructure:"resource_attributes"`
	Limits                LimitsConfig    `mapstructure:"limits"`

	TLS configoptional.Optional[configtls.ServerConfig] `mapstructure:"tls"`
}

// CountersConfig configures counters.
type CountersConfig struct {
	NonMonotonic []string `mapstructure:"non_monotonic"`
}

// GaugesConfig configures gauges.
type GaugesConfig struct {
	Resend bool   `mapstructure:"resend"`
	Signed string `mapstructure:"signed"`
}

// SetsConfig configures sets.
type SetsConfig struct {
	ExactLimit int `mapstructure:"exact_limit"`
}

// LimitsConfig bounds the memory that senders can make the receiver use.
type LimitsConfig struct {
	MaxSeries      int     `mapstructure:"max_series"`
	MemoryLimitMiB int     `mapstructure:"memory_limit_mib"`
	MaxAliases     int     `mapstructure:"max_aliases"`
	MaxTags        int     `mapstructure:"max_tags"`
	MaxNameBytes   int     `mapstructure:"max_name_bytes"`
	MinSampleRate  float64 `mapstructure:"min_sample_rate"`
}

// The values of temporality, counter_type, gauges::signed, timer_unit, name_cleaning, timestamps and unknown_fields.
const (
	temporalityDelta      = "delta"
	temporalityCumulative = "cumulative"

	counterInt           = "int"
	counterFloat         = "float"
	counterStochasticInt = "stochastic_int"

	signedChange   = "change"
	signedInterval = "interval"
	signedAbsolute = "absolute"

	timerMilliseconds = "ms"
	timerSeconds      = "s"

	cleaningNone       = "none"
	cleaningEtsy       = "etsy"
	cleaningPrometheus = "prometheus"

	timestampsPassthrough = "passthrough"
	timestampsIgnore      = "ignore"

	unknownFieldsIgnore = "ignore"
	unknownFieldsReject = "reject"
)

const (
	maxDatagram    = 65527 // bytes: 65,535 minus the UDP header, over IPv6
	maxBatch       = 1024  // UIO_MAXIOV, which bounds recvmmsg
	defaultReaders = 4     // upper bound of the default; more readers gained less than their sockets cost
	minExpiry      = 2     // intervals; see series.Options.ExpirySwaps

	minInterval = time.Millisecond
	maxInterval = 24 * time.Hour
	maxExpiry   = 30 * maxInterval

	maxSocketBuffer  = math.MaxInt32 / 2 // bytes; the kernel doubles it in a 32-bit int
	maxPayloadBytes  = 256 << 20         // read buffers of all readers
	maxSocketBuffers = 4 << 30           // receive buffers of all readers, in the kernel

	maxTimedPoints = 1_000_000  // about 100 MB
	maxSeries      = 10_000_000 // 7.5 GB of counters, if memory_limit_mib allows it
	maxAliases     = 2 * maxSeries
	maxMemoryMiB   = 1 << 20
	maxExactLimit  = 1 << 20 // members; 16 MiB per set

	// minRate bounds the number of times that one value counts. A histogram has 64-bit counts, into which 1e10 values of this
	// rate fit.
	minRate = 1e-9
)

func createDefaultConfig() component.Config {
	return &Config{
		Endpoint:            defaultEndpoint,
		Transport:           transportUDP,
		Compatibility:       compatibilityNone,
		ReadBatchSize:       64,
		MaxDatagramSize:     maxDatagram,
		SocketBufferSize:    8 << 20,
		AggregationInterval: 5 * time.Second,
		AlignInterval:       true,
		BufferSize:          10_000,
		Temporality:         temporalityDelta,
		IsMonotonicCounter:  true,
		CounterType:         counterInt,
		Gauges:              GaugesConfig{Signed: signedChange},
		TimerUnit:           timerMilliseconds,
		NameCleaning:        cleaningNone,
		Sets:                SetsConfig{ExactLimit: 1024},
		SeriesExpiry:        5 * time.Minute,
		Timestamps:          timestampsPassthrough,
		UnknownFields:       unknownFieldsIgnore,
		TagFormats:          []string{tagFieldFormat},
		EnableSimpleTags:    true,
		Limits: LimitsConfig{
			MaxSeries: 100_000, MemoryLimitMiB: 256, MaxAliases: 200_000, MaxTags: 64, MaxNameBytes: 512, MinSampleRate: 1e-6,
		},
	}
}

// Validate reports every field that is wrong.
func (c *Config) Validate() error {
	var e check.Errors
	c.checkTransport(&e)
	check.OneOf(&e, "compatibility", c.Compatibility, compatibilityNone, compatibilityStatsd)
	check.Range(&e, "readers", c.Readers, 0, socket.MaxSockets)
	check.Range(&e, "read_batch_size", c.ReadBatchSize, 1, maxBatch)
	check.Range(&e, "max_datagram_size", c.MaxDatagramSize, 1, maxDatagram)
	check.Range(&e, "socket_buffer_size", c.SocketBufferSize, 0, maxSocketBuffer)
	c.checkBuffers(&e)
	check.Range(&e, "buffer_size", c.BufferSize, 1, maxTimedPoints)
	check.OneOf(&e, "temporality", c.Temporality, temporalityDelta, temporalityCumulative)
	check.OneOf(&e, "counter_type", c.CounterType, counterInt, counterFloat, counterStochasticInt)
	check.OneOf(e.At("gauges"), "signed", c.Gauges.Signed, signedChange, signedInterval, signedAbsolute)
	check.OneOf(&e, "timer_unit", c.TimerUnit, timerMilliseconds, timerSeconds)
	check.OneOf(&e, "name_cleaning", c.NameCleaning, cleaningNone, cleaningEtsy, cleaningPrometheus)
	c.Counters.check(e.At("counters"))
	e.That(c.IsMonotonicCounter || len(c.Counters.NonMonotonic) == 0, "counters::non_monotonic",
		"left out if is_monotonic_counter is false, as then every counter accepts decrements", c.Counters.NonMonotonic)
	check.OneOf(&e, "timestamps", c.Timestamps, timestampsPassthrough, timestampsIgnore)
	check.OneOf(&e, "unknown_fields", c.UnknownFields, unknownFieldsIgnore, unknownFieldsReject)
	c.checkTagFormats(&e)
	check.Range(e.At("sets"), "exact_limit", c.Sets.ExactLimit, 1, maxExactLimit)
	c.checkOrigin(&e)
	c.checkTimes(&e)
	c.checkMapping(&e)
	if err := pcommon.NewMap().FromRaw(c.ResourceAttributes); err != nil {
		e.Wrap("resource_attributes", fmt.Errorf("must be attribute values: %w", err))
	}
	c.Limits.check(e.At("limits"))
	return e.Err()
}

func (c *CountersConfig) check(e *check.Errors) {
	check.Regexps(e, "non_monotonic", c.NonMonotonic)
	for i, expression := range c.NonMonotonic {
		e.That(expression != "", check.Item("non_monotonic", i), "an expression that matches a name", expression)
	}
}

func (c *LimitsConfig) check(e *check.Errors) {
	check.Range(e, "max_series", c.MaxSeries, 1, maxSeries)
	check.Range(e, "memory_limit_mib", c.MemoryLimitMiB, 1, maxMemoryMiB)
	check.Range(e, "max_aliases", c.MaxAliases, 1, maxAliases)
	check.Range(e, "max_tags", c.MaxTags, 1, series.MaxFieldBytes)
	check.Range(e, "max_name_bytes", c.MaxNameBytes, 1, series.MaxFieldBytes)
	check.Range(e, "min_sample_rate", c.MinSampleRate, minRate, 1)
}

// checkTimes checks the products only if their factors are in range, because other products may not fit into an int64.
func (c *Config) checkTimes(e *check.Errors) {
	check.Range(e, "aggregation_interval", c.AggregationInterval, minInterval, maxInterval)
	check.Range(e, "series_expiry", c.SeriesExpiry, minExpiry*minInterval, maxExpiry)
	if c.AggregationInterval < minInterval || c.AggregationInterval > maxInterval {
		return
	}
	least := minExpiry * c.AggregationInterval
	e.That(c.SeriesExpiry >= least, "series_expiry",
		fmt.Sprintf("at least %d times aggregation_interval, %s", minExpiry, least), c.SeriesExpiry)
}

// checkBuffers bounds the memory that all readers allocate at start. Factors within their bounds have products that fit into an
// int64.
func (c *Config) checkBuffers(e *check.Errors) {
	if c.isStream() { // connections have buffers instead; see checkStream
		return
	}
	readers := int64(c.readers())
	if readers > socket.MaxSockets || c.ReadBatchSize > maxBatch || c.MaxDatagramSize > maxDatagram || c.SocketBufferSize > maxSocketBuffer {
		return
	}
	e.That(readers*int64(c.ReadBatchSize)*int64(c.MaxDatagramSize) <= maxPayloadBytes, "max_datagram_size",
		fmt.Sprintf("such that readers x read_batch_size x max_datagram_size is at most %d bytes", maxPayloadBytes),
		product{readers, int64(c.ReadBatchSize), int64(c.MaxDatagramSize)})
	e.That(readers*int64(c.SocketBufferSize) <= maxSocketBuffers, "socket_buffer_size",
		fmt.Sprintf("such that readers x socket_buffer_size is at most %d bytes", int64(maxSocketBuffers)),
		product{readers, int64(c.SocketBufferSize)})
}

// product is printed as its factors.
type product []int64

func (p product) String() string {
	factors := make([]string, len(p))
	for i, f := range p {
		factors[i] = strconv.FormatInt(f, 10)
	}
	return strings.Join(factors, " x ")
}

// readers returns the number of readers. Unless configured, it is one per CPU, up to defaultReaders.
func (c *Config) readers() int {
	if c.Readers > 0 {
		return c.Readers
	}
	if c.Transport == transportUnixgram {
		return 1
	}
	return min(runtime.GOMAXPROCS(0), defaultReaders, socket.MaxSockets)
}
