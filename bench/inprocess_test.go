//go:build linux

package bench

import (
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// BenchmarkInProcess is parsing, aggregating and building OTLP (or gathering), with next to no socket,
// in a contender that never waits: a sender writes what it can to a Unix socket, which holds it up
// while it is full and loses nothing, in datagrams of 64 KB with some hundred lines each.
//
// The parsers of both receivers are internal to their modules, and nothing but a socket reaches the
// statsd receiver's. So all are driven in this same way, and beside them stands what the socket takes
// of a program that reads these datagrams and does nothing. A benchmark that called metricsudp's
// packages and not the other's would compare a part with a whole: the statsd receiver hands each
// line from one goroutine to another.
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
			// Grace: statsd_exporter queues up to ten million events, which take seconds.
			j := job{Interval: time.Second, Grace: 20 * time.Second}
			report(b, "CPU time for a line, us, from a Unix socket that is always full", t.name, t.contenders, alternate(b, t.contenders, profile, j))
		})
	}
}
