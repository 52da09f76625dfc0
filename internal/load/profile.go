// Package load sends StatsD and DogStatsD metrics over UDP or to a Unix datagram socket, and OTLP metrics over gRPC or
// HTTP. It returns an exact ledger of what left the process, with which a test compares what a receiver got.
//
// All datagrams are rendered before the first one is sent. The sender only walks this ring and counts, so that the
// kernel, and not the generator, limits a measurement.
package load

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MetricNames maps a StatsD type to the last part of its metric's name.
var MetricNames = map[string]string{
	"c":  "counter",
	"g":  "gauge",
	"ms": "timer",
	"h":  "histogram",
	"d":  "distribution",
	"s":  "set",
}

// MaxPayloadBytes is the largest payload of a UDP datagram over IPv4: 65,535 bytes minus 20 bytes of IP header and 8
// bytes of UDP header.
const MaxPayloadBytes = 65507

// Profile describes the datagrams to send. Zero values are not defaults: start from DefaultProfile.
type Profile struct {
	Network  string // udp or unixgram; a full Unix socket blocks the sender, so no datagram is lost
	Endpoint string // host:port, or a path
	Prefix   string // first part of every metric name

	Types      []string // StatsD types, in turn over the series: c g ms h d s
	Series     int      // distinct series over all connections
	Shuffled   bool     // each pass over the series has another random order, else their own
	Tags       int      // tags per line; the first one identifies the series, or with 0 the metric name does
	Values     int      // values packed into one line (DogStatsD v1.1); a line of a set always has one
	SampleRate float64  // in (0, 1]; below 1 lines of c, ms, h and d have an |@rate field

	PayloadBytes     int // maximum payload of a datagram
	LinesPerDatagram int // 0: as many as fit

	Connections int           // sockets; each has its own source port and its own series
	Rate        float64       // lines per second over all connections; 0: as fast as the kernel accepts them
	Duration    time.Duration // 0: until Lines are sent or the context ends
	Lines       uint64        // number of lines, unless the duration ends first; 0: unbounded
	Seed        uint64        // of the random values
}

// DefaultProfile returns the usual mix of a host, in datagrams that fit an Ethernet frame.
func DefaultProfile() Profile {
	return Profile{
		Network:      "udp",
		Endpoint:     "localhost:8125",
		Prefix:       "load",
		Types:        []string{"c", "g", "ms"},
		Series:       1000,
		Tags:         4,
		Values:       1,
		SampleRate:   1,
		PayloadBytes: 1432,
		Connections:  1,
		Rate:         100_000,
		Duration:     10 * time.Second,
		Seed:         1,
	}
}

// Validate reports the first invalid field.
func (p Profile) Validate() error {
	for _, t := range p.Types {
		if _, known := MetricNames[t]; !known {
			return fmt.Errorf("types: must be of c, g, ms, h, d, s (got %q)", t)
		}
	}
	sorted := slices.Sorted(slices.Values(p.Types))
	switch {
	case p.Network != "udp" && p.Network != "unixgram":
		return fmt.Errorf("network: must be one of udp, unixgram (got %q)", p.Network)
	case p.Endpoint == "":
		return fmt.Errorf("endpoint: must be host:port (got %q)", p.Endpoint)
	case p.Prefix == "" || strings.ContainsAny(p.Prefix, ":|#@\n"):
		return fmt.Errorf("prefix: must be a metric name without any of :|#@ (got %q)", p.Prefix)
	case len(p.Types) == 0:
		return fmt.Errorf("types: must name at least one type (got none)")
	case len(slices.Compact(sorted)) != len(p.Types):
		return fmt.Errorf("types: must name each type once (got %q)", strings.Join(p.Types, ","))
	case p.Connections < 1 || p.Connections > 1024:
		return fmt.Errorf("connections: must be in 1..1024 (got %d)", p.Connections)
	case p.Series < p.Connections*len(p.Types):
		return fmt.Errorf("series: must be at least connections x types = %d (got %d)", p.Connections*len(p.Types), p.Series)
	case p.Tags < 0 || p.Tags > 64:
		return fmt.Errorf("tags: must be in 0..64 (got %d)", p.Tags)
	case p.Values < 1 || p.Values > 1000:
		return fmt.Errorf("values: must be in 1..1000 (got %d)", p.Values)
	case !(p.SampleRate > 0 && p.SampleRate <= 1):
		return fmt.Errorf("sample-rate: must be in (0, 1] (got %v)", p.SampleRate)
	case p.PayloadBytes < 1 || p.PayloadBytes > MaxPayloadBytes:
		return fmt.Errorf("payload-bytes: must be in 1..%d (got %d)", MaxPayloadBytes, p.PayloadBytes)
	case p.LinesPerDatagram < 0:
		return fmt.Errorf("lines-per-datagram: must not be negative (got %d)", p.LinesPerDatagram)
	case !(p.Rate >= 0):
		return fmt.Errorf("rate: must not be negative (got %v)", p.Rate)
	case p.Duration < 0:
		return fmt.Errorf("duration: must not be negative (got %v)", p.Duration)
	case p.Duration == 0 && p.Lines == 0:
		return fmt.Errorf("duration: must be positive if lines is 0 (got %v)", p.Duration)
	}
	return nil
}
