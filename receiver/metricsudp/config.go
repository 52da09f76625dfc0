package metricsudp

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Config of the receiver. README.md describes the keys.
type Config struct {
	Endpoint            string         `mapstructure:"endpoint"`
	Transport           string         `mapstructure:"transport"`
	Readers             int            `mapstructure:"readers"`
	ReadBatchSize       int            `mapstructure:"read_batch_size"`
	MaxDatagramSize     int            `mapstructure:"max_datagram_size"`
	SocketBufferSize    int            `mapstructure:"socket_buffer_size"`
	AllowedCIDRs        []string       `mapstructure:"allowed_cidrs"`
	AggregationInterval time.Duration  `mapstructure:"aggregation_interval"`
	AlignInterval       bool           `mapstructure:"align_interval"`
	BufferSize          int            `mapstructure:"buffer_size"`
	Temporality         string         `mapstructure:"temporality"`
	IsMonotonicCounter  bool           `mapstructure:"is_monotonic_counter"`
	CounterType         string         `mapstructure:"counter_type"`
	Gauges              GaugesConfig   `mapstructure:"gauges"`
	Sets                SetsConfig     `mapstructure:"sets"`
	SeriesExpiry        time.Duration  `mapstructure:"series_expiry"`
	Timestamps          string         `mapstructure:"timestamps"`
	UnknownFields       string         `mapstructure:"unknown_fields"`
	ResourceAttributes  map[string]any `mapstructure:"resource_attributes"`
	Limits              LimitsConfig   `mapstructure:"limits"`
}

// GaugesConfig is how gauges are emitted.
type GaugesConfig struct {
	Resend bool `mapstructure:"resend"`
}

// SetsConfig is how sets are counted.
type SetsConfig struct {
	ExactLimit int `mapstructure:"exact_limit"`
}

// LimitsConfig bounds what senders can make the receiver hold.
type LimitsConfig struct {
	MaxSeries      int     `mapstructure:"max_series"`
	MemoryLimitMiB int     `mapstructure:"memory_limit_mib"`
	MaxAliases     int     `mapstructure:"max_aliases"`
	MaxTags        int     `mapstructure:"max_tags"`
	MaxNameBytes   int     `mapstructure:"max_name_bytes"`
	MinSampleRate  float64 `mapstructure:"min_sample_rate"`
}

// The values of transport, temporality, counter_type, timestamps and unknown_fields.
const (
	transportUDP  = "udp"
	transportUDP4 = "udp4"
	transportUDP6 = "udp6"

	temporalityDelta      = "delta"
	temporalityCumulative = "cumulative"

	counterInt   = "int"
	counterFloat = "float"

	timestampsPassthrough = "passthrough"
	timestampsIgnore      = "ignore"

	unknownFieldsIgnore = "ignore"
	unknownFieldsReject = "reject"
)

const (
	maxDatagram    = 65527 // 65,535 less the UDP header, over IPv6
	maxBatch       = 1024  // UIO_MAXIOV, which bounds recvmmsg
	defaultReaders = 4     // more did not pay off for the socket's cost
	minExpiry      = 2     // intervals; see series.Options.ExpirySwaps
)

func createDefaultConfig() component.Config {
	return &Config{
		Endpoint:            "localhost:8125",
		Transport:           transportUDP,
		ReadBatchSize:       64,
		MaxDatagramSize:     maxDatagram,
		SocketBufferSize:    8 << 20,
		AggregationInterval: 5 * time.Second,
		AlignInterval:       true,
		BufferSize:          10_000,
		Temporality:         temporalityDelta,
		IsMonotonicCounter:  true,
		CounterType:         counterInt,
		Sets:                SetsConfig{ExactLimit: 1024},
		SeriesExpiry:        5 * time.Minute,
		Timestamps:          timestampsPassthrough,
		UnknownFields:       unknownFieldsIgnore,
		Limits: LimitsConfig{
			MaxSeries: 100_000, MemoryLimitMiB: 256, MaxAliases: 200_000, MaxTags: 64, MaxNameBytes: 512, MinSampleRate: 1e-6,
		},
	}
}

// Validate reports every field that is wrong.
func (c *Config) Validate() error {
	errs := []error{
		c.validateEndpoint(),
		c.validateTransport(),
		inRange("readers", c.Readers, 0, socket.MaxSockets),
		inRange("read_batch_size", c.ReadBatchSize, 1, maxBatch),
		inRange("max_datagram_size", c.MaxDatagramSize, 1, maxDatagram),
		inRange("socket_buffer_size", c.SocketBufferSize, 0, math.MaxInt32/2),
		inRange("buffer_size", c.BufferSize, 1, math.MaxInt32),
		oneOf("temporality", c.Temporality, temporalityDelta, temporalityCumulative),
		oneOf("counter_type", c.CounterType, counterInt, counterFloat),
		oneOf("timestamps", c.Timestamps, timestampsPassthrough, timestampsIgnore),
		oneOf("unknown_fields", c.UnknownFields, unknownFieldsIgnore, unknownFieldsReject),
		inRange("sets::exact_limit", c.Sets.ExactLimit, 1, 1<<20),
		inRange("limits::max_series", c.Limits.MaxSeries, 1, math.MaxInt32),
		inRange("limits::memory_limit_mib", c.Limits.MemoryLimitMiB, 1, 1<<20),
		inRange("limits::max_aliases", c.Limits.MaxAliases, 1, math.MaxInt32),
		inRange("limits::max_tags", c.Limits.MaxTags, 1, series.MaxFieldBytes),
		inRange("limits::max_name_bytes", c.Limits.MaxNameBytes, 1, series.MaxFieldBytes),
	}
	for i, cidr := range c.AllowedCIDRs {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			errs = append(errs, fmt.Errorf("allowed_cidrs::%d: must be an address range such as 10.0.0.0/8 (got %q)", i, cidr))
		}
	}
	if c.AggregationInterval < time.Millisecond {
		errs = append(errs, fmt.Errorf("aggregation_interval: must be at least 1ms (got %s)", c.AggregationInterval))
	} else if c.SeriesExpiry < minExpiry*c.AggregationInterval {
		errs = append(errs, fmt.Errorf("series_expiry: must be at least %d times aggregation_interval, %s (got %s)",
			minExpiry, minExpiry*c.AggregationInterval, c.SeriesExpiry))
	}
	if rate := c.Limits.MinSampleRate; !(rate > 0 && rate <= 1) {
		errs = append(errs, fmt.Errorf("limits::min_sample_rate: must be above 0 and at most 1 (got %v)", rate))
	}
	if err := pcommon.NewMap().FromRaw(c.ResourceAttributes); err != nil {
		errs = append(errs, fmt.Errorf("resource_attributes: must be attribute values: %w", err))
	}
	return errors.Join(errs...)
}

func (c *Config) validateEndpoint() error {
	_, port, err := net.SplitHostPort(c.Endpoint)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("endpoint: must be host:port (got %q)", c.Endpoint)
	}
	return nil
}

func (c *Config) validateTransport() error {
	if c.Transport == "tcp" || c.Transport == "tcp4" || c.Transport == "tcp6" {
		return fmt.Errorf("transport: must be one of udp, udp4, udp6 (got %q): a stream has no datagrams whose loss could be counted", c.Transport)
	}
	return oneOf("transport", c.Transport, transportUDP, transportUDP4, transportUDP6)
}

func inRange(field string, got, low, high int) error {
	if got < low || got > high {
		return fmt.Errorf("%s: must be from %d to %d (got %d)", field, low, high, got)
	}
	return nil
}

func oneOf(field, got string, allowed ...string) error {
	if slices.Contains(allowed, got) {
		return nil
	}
	return fmt.Errorf("%s: must be one of %s (got %q)", field, strings.Join(allowed, ", "), got)
}

// readers is how many there are: one for each CPU, up to what pays off, unless set.
func (c *Config) readers() int {
	if c.Readers > 0 {
		return c.Readers
	}
	return min(runtime.GOMAXPROCS(0), defaultReaders, socket.MaxSockets)
}
