//go:build linux

package bench

import (
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// BenchmarkInProcess measures parsing, aggregating and building OTLP (or gathering), almost without the cost of the socket,
// in a contender that never waits. The sender writes as fast as it can to a Unix socket, which blocks it while the socket is
// full and loses no datagram. A datagram has 64 KB with some hundred lines.
//
// The parsers of both receivers are internal to their modules, and the statsd receiver's can be reached by a socket only. So
// all contenders get their input in the same way. The table also has the cost of a program that reads these datagrams and
// discards them. A benchmark that called metricsudp's packages directly would compare a part with a whole: the statsd
// receiver passes each line from one goroutine to another.
func BenchmarkInProcess(b *testing.B) {
	contenders := append([]contender{socketFloor}, equalBuffers...)
	for _, t := range []traffic{
		{"base", contenders, func(*load.Profile) {}},
		{"tags=0", contenders, func(p *load.Profile) { p.Tags = 0 }},
		{"tags=10", contenders, func(p *load.Profile) { p.Tags = 10 }},
		{"type=c", contenders, func(p *load.Profile) { p.Types = []string{"c"} }},
		{"type=g", contenders, func(p *load.Profile) { p.Types = []string{"g"} }},
		{"type=ms", contenders, func(p *load.Profile) { p.Types = []string{"ms"} }},
		{"type=d", contenders, func(p *load.Profile) { p.Types = []string{"d"} }},
		{"type=s", []contender{socketFloor, metricsudpEqual}, func(p *load.Profile) { p.Types = []string{"s"} }},
	} {
		b.Run(t.name, func(b *testing.B) {
			profile := base()
			profile.Network, profile.PayloadBytes, profile.Rate, profile.Duration = "unixgram", 64_000, 0, 2*time.Second
			t.change(&profile)
			// The grace period is long because statsd_exporter queues up to ten million events, which need seconds.
			j := job{Interval: time.Second, Grace: 20 * time.Second}
			report(b, "CPU time per line, us, from a Unix socket that is always full", t.name, t.contenders, alternate(b, t.contenders, profile, j))
		})
	}
}
