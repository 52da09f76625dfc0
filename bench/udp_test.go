//go:build linux

package bench

import (
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// traffic is a named case: the base case with one thing changed.
type traffic struct {
	name       string
	contenders []contender
	change     func(*load.Profile)
}

const eightKiB = 8192

// matrix varies one thing at a time. The buffers' size is varied where datagrams or their number
// change, which is what fills buffers.
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
	// The others take no sets.
	{"type=s", []contender{metricsudpEqual}, func(p *load.Profile) { p.Types = []string{"s"} }},
	{"tags=0", equalBuffers, func(p *load.Profile) { p.Tags = 0 }},
	{"tags=10", equalBuffers, func(p *load.Profile) { p.Tags = 10 }},
	{"series=100k", equalBuffers, func(p *load.Profile) { p.Series = 100_000 }},
	{"series=100k, random order", equalBuffers, func(p *load.Profile) { p.Series, p.Shuffled, p.Duration = 100_000, true, 12*time.Second }},
	// So long that every series is sent: once, most of them. It is the cost of new series.
	{"series=1M", equalBuffers, func(p *load.Profile) { p.Series, p.Duration = 1_000_000, 12*time.Second }},
}

// base is 100,000 lines a second of counters, gauges and timers, of about 71 bytes and 4 tags, of
// 1,000 series from one port, packed into datagrams of up to 1,432 bytes.
func base() load.Profile {
	p := load.DefaultProfile()
	p.Duration = 3 * time.Second
	return p
}

// BenchmarkUDP is the CPU time of a contender's process for a line over loopback: received, parsed,
// aggregated and handed on as OTLP, or gathered.
func BenchmarkUDP(b *testing.B) {
	for _, t := range matrix {
		b.Run(t.name, func(b *testing.B) {
			profile := base()
			t.change(&profile)
			// New series take a while to come out, a million of them seconds.
			j := job{Interval: time.Second, Grace: 3*time.Second + time.Duration(profile.Series)*10*time.Microsecond}
			results := alternate(b, t.contenders, profile, j)
			report(b, "CPU time for a line, us", t.name, t.contenders, results)
			reportMemory(b, "Peak memory, MiB", t.name, t.contenders, results)
		})
	}
}

// BenchmarkSlowConsumer is what is lost before a consumer that takes 2 s for every batch while there
// is one a second. statsd_exporter has none: it is asked.
func BenchmarkSlowConsumer(b *testing.B) {
	contenders := []contender{metricsudpEqual, statsdEqual}
	profile := base()
	profile.Duration = 5 * time.Second
	// Grace: the batch under way, the one after it, and the interval between.
	j := job{Interval: time.Second, Grace: 8 * time.Second, ConsumeDelay: 2 * time.Second}
	report(b, "A consumer that takes 2 s for every batch: CPU time for a line, us", "base", contenders, alternate(b, contenders, profile, j))
}
