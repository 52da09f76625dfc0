//go:build linux

package bench

import (
	"cmp"
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// traffic is a case: the base case with one change.
type traffic struct {
	name       string
	contenders []contender
	change     func(*load.Profile)
	interval   time.Duration // between two flushes; 0: a second
}

const eightKiB = 8192

// matrix varies one thing at a time. If datagrams or their rate change, which affects how buffers fill, it also varies the
// size of the receive buffer.
var matrix = []traffic{
	{name: "base", contenders: allBuffers, change: func(*load.Profile) {}},
	{name: "datagram=single", contenders: allBuffers, change: func(p *load.Profile) { p.LinesPerDatagram = 1 }},
	{name: "datagram=8KiB", contenders: allBuffers, change: func(p *load.Profile) { p.PayloadBytes = eightKiB }},
	{name: "rate=300k", contenders: allBuffers, change: func(p *load.Profile) { p.Rate = 300_000 }},
	{name: "ports=64", contenders: allBuffers, change: func(p *load.Profile) { p.Connections = 64 }},
	{name: "type=c", contenders: equalBuffers, change: func(p *load.Profile) { p.Types = []string{"c"} }},
	{name: "type=g", contenders: equalBuffers, change: func(p *load.Profile) { p.Types = []string{"g"} }},
	{name: "type=ms", contenders: equalBuffers, change: func(p *load.Profile) { p.Types = []string{"ms"} }},
	{name: "type=d", contenders: equalBuffers, change: func(p *load.Profile) { p.Types = []string{"d"} }},
	// The others do not accept sets.
	{name: "type=s", contenders: []contender{metricsudpEqual}, change: func(p *load.Profile) { p.Types = []string{"s"} }},
	{name: "tags=0", contenders: equalBuffers, change: func(p *load.Profile) { p.Tags = 0 }},
	{name: "tags=10", contenders: equalBuffers, change: func(p *load.Profile) { p.Tags = 10 }},
	{name: "series=100k", contenders: equalBuffers, change: func(p *load.Profile) { p.Series = 100_000 }},
	{name: "series=100k, random order", contenders: equalBuffers, change: func(p *load.Profile) { p.Series, p.Shuffled, p.Duration = 100_000, true, 12*time.Second }},
	{
		name: "series=100k, random order, default interval", contenders: equalBuffers, interval: 5 * time.Second,
		change: func(p *load.Profile) { p.Series, p.Shuffled, p.Duration = 100_000, true, 22*time.Second },
	},
	// The duration suffices to send every series, most of them once. The figure is the cost of new series.
	{name: "series=1M", contenders: equalBuffers, change: func(p *load.Profile) { p.Series, p.Duration = 1_000_000, 12*time.Second }},
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
		b.Run(t.name, func(b *testing.B) {
			profile := base()
			t.change(&profile)
			// The output of new series takes time: that of a million needs seconds.
			interval := cmp.Or(t.interval, time.Second)
			j := job{Interval: interval, Grace: 2*time.Second + interval + time.Duration(profile.Series)*10*time.Microsecond}
			results := alternate(b, t.contenders, profile, j)
			report(b, "CPU time per line, us", t.name, t.contenders, results)
			reportMemory(b, "Peak memory, MiB", t.name, t.contenders, results)
		})
	}
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
