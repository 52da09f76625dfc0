//go:build linux

package bench

import (
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// traffic is a case: the base case with one change.
type traffic struct {
	name       string
	contenders []contender
	change     func(*load.Profile)
}

const eightKiB = 8192

// matrix varies one thing at a time. If datagrams or their rate change, which affects how buffers fill, it also varies the
// size of the receive buffer.
var matrix = []traffic{
	{"base", allBuffers, func(*load.Profile) {}},
	{"datagram=single", allBuffers, func(p *load.Profile) { p.LinesPerDatagram = 1 }},
	{"datagram=8KiB", allBuffers, func(p *load.Profile) { p.PayloadBytes = eightKiB }},
	{"rate=300k", allBuffers, func(p *load.Profile) { p.Rate = 300_000 }},
	{"ports=64", allBuffers, func(p *load.Profile) { p.Connections = 64 }},
	{"type=c", equalBuffers, func(p *load.Profile) { p.Types = []string{"c"} }},
	{"type=g", equalBuffers, func(p *load.Profile) { p.Types = []string{"g"} }},
	{"type=ms", equalBuffers, func(p *load.Profile) { p.Types = []string{"ms"} }},
	{"type=d", equalBuffers, func(p *load.Profile) { p.Types = []string{"d"} }},
	// The others do not accept sets.
	{"type=s", []contender{metricsudpEqual}, func(p *load.Profile) { p.Types = []string{"s"} }},
	{"tags=0", equalBuffers, func(p *load.Profile) { p.Tags = 0 }},
	{"tags=10", equalBuffers, func(p *load.Profile) { p.Tags = 10 }},
	{"series=100k", equalBuffers, func(p *load.Profile) { p.Series = 100_000 }},
	{"series=100k, random order", equalBuffers, func(p *load.Profile) { p.Series, p.Shuffled, p.Duration = 100_000, true, 12*time.Second }},
	// The duration suffices to send every series, most of them once. The figure is the cost of new series.
	{"series=1M", equalBuffers, func(p *load.Profile) { p.Series, p.Duration = 1_000_000, 12*time.Second }},
}

// base returns the base case: 100,000 lines per second of counters, gauges and timers with about 71 bytes and 4 tags, of
// 1,000 series from one port, in datagrams of up to 1,432 bytes.
func base() load.Profile {
	p := load.DefaultProfile()
	p.Duration = 3 * time.Second
	return p
}

// BenchmarkUDP measures the CPU time of a contender's process per line over loopback. The line is received, parsed,
// aggregated, and passed to a consumer as OTLP, or gathered.
func BenchmarkUDP(b *testing.B) {
	for _, t := range matrix {
		benchmarkUDP(b, t, job{Interval: time.Second})
	}
	t := traffic{"series=100k, random order, default interval", equalBuffers, func(p *load.Profile) {
		p.Series, p.Shuffled, p.Duration = 100_000, true, 22*time.Second
	}}
	benchmarkUDP(b, t, job{Interval: 5 * time.Second})
	// The cost of a gateway that has run for some time: every series is known, and the heap has its size.
	t.name += ", warm"
	benchmarkUDP(b, t, job{Interval: 5 * time.Second, WarmUp: true})
}

func benchmarkUDP(b *testing.B, t traffic, j job) {
	b.Run(t.name, func(b *testing.B) {
		profile := base()
		t.change(&profile)
		// The output of new series takes time: that of a million needs seconds.
		j.Grace = 2*time.Second + j.Interval + time.Duration(profile.Series)*10*time.Microsecond
		results := alternate(b, t.contenders, profile, j)
		report(b, "CPU time per line, us", t.name, t.contenders, results)
		reportMemory(b, "Peak memory, MiB", t.name, t.contenders, results)
	})
}

// BenchmarkSlowConsumer measures the loss before a consumer that needs 2 s per batch, with one batch per second.
// statsd_exporter has no consumer: Prometheus scrapes it.
func BenchmarkSlowConsumer(b *testing.B) {
	contenders := []contender{metricsudpEqual, statsdEqual}
	profile := base()
	profile.Duration = 5 * time.Second
	// The grace period covers the batch in progress, the next one, and the interval between them.
	j := job{Interval: time.Second, Grace: 8 * time.Second, ConsumeDelay: 2 * time.Second}
	report(b, "A consumer that needs 2 s per batch: CPU time per line, us", "base", contenders, alternate(b, contenders, profile, j))
}
