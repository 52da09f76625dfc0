// Package load sends StatsD and DogStatsD traffic over UDP, or to a Unix socket of datagrams, and keeps an exact
// ledger of what left the process, so that a receiver can be held to it.
//
// Datagrams are rendered once, before the first is sent; sending walks that ring
// and only counts. The generator therefore never is what limits a measurement
// before the kernel does.
package load

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MetricNames maps a StatsD type to the last part of the metric name it is sent under.
var MetricNames = map[string]string{
	"c":  "counter",
	"g":  "gauge",
	"ms": "timer",
	"h":  "histogram",
	"d":  "distribution",
	"s":  "set",
}

// MaxPayloadBytes is the largest payload a UDP datagram over IPv4 carries:
// 65,535 less 20 bytes of IP and 8 bytes of UDP header.
const MaxPayloadBytes = 65507

// Profile says what to send. The zero value of a field is not a default; start from DefaultProfile.
type Profile struct {
	Network  string // udp or unixgram. A Unix socket that is full holds the sender up: nothing is lost.
	Endpoint string // host:port, or a path
	Prefix   string // first part of every metric name

	Types      []string // StatsD types in turn over the series: c g ms h d s
	Series     int      // distinct series over all connections
	Shuffled   bool     // the series come in a random order, another one in each pass; else in their own
	Tags       int      // tags a line; the first one tells the series apart. 0: the metric name does.
	Values     int      // values packed into one line (DogStatsD v1.1); sets always send one
	SampleRate float64  // in (0, 1]; below 1 an |@rate field is sent for c, ms, h and d

	PayloadBytes     int // largest datagram, bytes
	LinesPerDatagram int // 0: as many as fit

	Connections int           // sockets, each with a source port and series of its own
	Rate        float64       // lines a second over all connections; 0: as fast as the kernel takes them
	Duration    time.Duration // 0: until Lines are sent or the context ends
	Lines       uint64        // exactly so many lines, unless the duration ends before; 0: no such bound
	Seed        uint64        // of the values sent
}

// DefaultProfile is a host's usual mix in datagrams that fit an Ethernet frame.
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

// Validate reports the first field that cannot be sent as asked.
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
		return fmt.Errorf("duration: must be positive where lines sets no bound (got %v)", p.Duration)
	}
	return nil
}
