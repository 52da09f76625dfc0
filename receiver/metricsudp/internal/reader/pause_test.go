package reader

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// BenchmarkPause measures the longest time between two reads around a flush, from the read before a Swap to the tenth one after it:
// a rotation leaves work for the lines that come next. One operation is one interval, with one line for each of 100,000 counters,
// 20 per datagram, one datagram per read, and a Swap, whose epoch is merged meanwhile. "plain-us" is the longest of the same number
// of gaps without a Swap, which shows the noise of the machine.
func BenchmarkPause(b *testing.B) {
	for _, bench := range []struct {
		name   string
		expiry uint64 // in intervals; the aliases rotate twice in this time
	}{{"rotation=never", 1 << 40}, {"rotation=always", 2}} {
		b.Run(bench.name, func(b *testing.B) { benchmarkPause(b, bench.expiry) })
	}
}

func benchmarkPause(b *testing.B, expiry uint64) {
	const all, packed, around = 100_000, 20, 10
	conn := &gapConn{swapped: make(chan struct{}), intervals: b.N, all: b.N, around: around}
	var lines []string
	for i := range all {
		lines = append(lines, fmt.Sprintf("service.requests.%03d:1|c|#env:prod,region:eu1,pod:p-%05d,code:200", i%1000, i))
	}
	for some := range slices.Chunk(lines, packed) {
		conn.datagrams = append(conn.datagrams, socket.Datagram{Payload: []byte(strings.Join(some, "\n"))})
	}
	registry := series.NewRegistry(series.Options{
		Limits:   line.Limits{NameBytes: 512, TagBytes: 512, MinRate: 1e-6},
		MaxBytes: 1 << 30, MaxSeries: all, MaxAliases: 2 * all, MaxTags: 10, Tables: 1, ExpirySwaps: expiry, IntCounters: true,
	})
	r := New(Options{
		Conn: conn, Table: series.NewTable(registry), OnError: func(err error) { b.Error(err) },
		Now: func() int64 { return 0 },
	})
	conn.swap = r.Swap
	var running sync.WaitGroup
	running.Go(r.Run)
	b.ResetTimer()
	for range b.N {
		<-conn.swapped
		registry.Advance()
		(<-r.Retired()).Merge(func(*series.Series, bool) {})
	}
	b.StopTimer()
	r.Stop()
	<-r.Retired()
	running.Wait()
	slices.Sort(conn.gaps)
	slices.Sort(conn.plain)
	require.Len(b, conn.gaps, b.N)
	report := func(name string, d time.Duration) { b.ReportMetric(float64(d.Nanoseconds())/1000, name) }
	report("median-us", conn.gaps[len(conn.gaps)/2])
	report("longest-us", conn.gaps[len(conn.gaps)-1])
	report("plain-median-us", conn.plain[len(conn.plain)/2])
	report("plain-us", conn.plain[len(conn.plain)-1])
}

// gapConn always has a datagram. It requests a Swap after each round of all datagrams.
type gapConn struct {
	scriptedConn
	datagrams []socket.Datagram
	swap      func()
	swapped   chan struct{}
	intervals int // remaining intervals
	all       int
	around    int

	at      int // of datagrams
	last    time.Time
	longest time.Duration // longest gap since the last measurement
	gaps    []time.Duration
	plain   []time.Duration
}

func (c *gapConn) Read() ([]socket.Datagram, error) {
	now := time.Now()
	c.longest = max(c.longest, now.Sub(c.last))
	switch c.at {
	case c.around:
		if c.intervals == c.all { // no Swap before the first
			break
		}
		c.gaps = append(c.gaps, c.longest)
	case len(c.datagrams) / 2:
		c.longest = 0
	case len(c.datagrams)/2 + c.around:
		c.plain = append(c.plain, c.longest)
	case len(c.datagrams):
		c.at = 0
		if c.intervals--; c.intervals >= 0 {
			c.swap()
			c.swapped <- struct{}{}
		}
		c.longest = 0
		now = time.Now()
	}
	c.last = now
	d := c.datagrams[c.at : c.at+1]
	c.at++
	return d, nil
}

func (c *gapConn) Poll() ([]socket.Datagram, error) { return nil, nil }
func (c *gapConn) Wake() error                      { return nil }
