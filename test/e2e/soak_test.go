package e2e

import (
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// soakFor returns the duration of a test named TestSoak...: the long one if SOAK is set, as by `make soak`.
func soakFor(short, long time.Duration) time.Duration {
	if os.Getenv("SOAK") != "" {
		return long
	}
	return short
}

// TestSoakNoise: every kind of noise in turn and all of them mixed, at full speed, beside a client that behaves. Every datagram
// is accounted for, and also every line if the kernel drops none. Memory and the log stay bounded, and the client that behaves
// is served.
func TestSoakNoise(t *testing.T) {
	const (
		// The memory_limiter of quickstart.yaml has a limit of 400 MiB of heap, and checks it once per second.
		maxRSS = 768 << 20
		// The receiver logs one example per minute for each of its 17 reasons to refuse a line.
		reasons = 17
		// It may log other messages, each at most once in the test.
		otherLines = 5
	)
	g := newGateway(t, "quickstart.yaml", `
receivers: {metricsudp: {aggregation_interval: 500ms}}
`)
	g.start()
	startBackend(t, g.backend)
	f := newFlooder(t, g.udp)
	good := startWellBehaved(t, g)
	began := time.Now()

	account := func(what string) (drops float64) {
		t.Helper()
		eventually(t, what+": every datagram is accounted for", func() bool {
			drops = g.count("kernel_drops")
			return g.count("datagrams")+drops == float64(f.datagrams)+float64(good.sent.Load())
		})
		return drops
	}

	// At a slow rate nothing is dropped, so every line can be accounted for.
	good.pause(true)
	for _, n := range noises {
		f.sendPaced(n, 200)
		drops := account(n.name)
		lines, rejected := g.count("lines"), g.count("rejected_lines")
		if want := float64(f.lines) + float64(good.sent.Load()); drops == 0 {
			assert.InDelta(t, want, lines+rejected, 0, n.name)
		}
		t.Logf("%-12s paced: %d datagrams, %.0f dropped; %d lines = %.0f accepted + %.0f rejected, with the ones before",
			n.name, f.datagrams, drops, f.lines, lines, rejected)
	}
	for _, reason := range []string{
		"no_name", "name_too_long", "no_value", "bad_value", "out_of_range", "no_type", "unknown_type", "bad_rate", "rate_too_small",
		"bad_timestamp", "tags_too_long", "bad_annotation", "bad_tag", "too_many_tags", "negative_counter",
	} {
		assert.Positive(t, g.count("rejected_lines", "reason", reason), reason)
	}
	good.pause(false)

	// At full speed: for half of the time one kind after another, for the other half mixed.
	total := soakFor(3*time.Second, time.Minute)
	for _, n := range noises {
		datagrams, lines := f.datagrams, f.lines
		at := time.Now()
		f.sendFor(n, total/2/time.Duration(len(noises)))
		seconds := time.Since(at).Seconds()
		t.Logf("%-12s %8.0f datagrams/s, %9.0f lines/s, RSS %d MiB", n.name,
			float64(f.datagrams-datagrams)/seconds, float64(f.lines-lines)/seconds, g.usage().rss>>20)
	}
	f.sendFor(mixed, total/2)
	good.pause(true)
	drops := account("after the flood")

	eventually(t, "the client that behaves has lost no more than the kernel dropped", func() bool {
		return good.received() >= float64(good.sent.Load())-drops
	})
	assert.LessOrEqual(t, good.received(), float64(good.sent.Load()))
	received := good.received()
	good.send(50)
	eventually(t, "its datagrams arrive", func() bool { return good.received() == received+50 })
	assert.InDelta(t, drops, g.count("kernel_drops"), 0, "the flood is over")

	peak := g.peakRSS()
	assert.Less(t, peak, int64(maxRSS))
	output := g.output.String()
	assert.NotContains(t, output, "panic")
	logged := strings.Count(output, "\tmetricsudp/")
	assert.LessOrEqual(t, logged, reasons*(1+int(time.Since(began).Minutes()))+otherLines)
	assert.Positive(t, g.count("overflowed_samples"))
	g.stop()
	t.Logf("%d datagrams, %d lines, %d MiB in all: %.0f dropped by the kernel; RSS at most %d MiB; %d log lines of the receiver, %d of the gateway in all; %d of %d from the client that behaves",
		f.datagrams, f.lines, f.bytes>>20, drops, peak>>20, logged, strings.Count(output, "\n"), int(received)+50, good.sent.Load())
}

// count returns one of the receiver's own counters.
func (g *gateway) count(name string, labels ...string) float64 {
	g.t.Helper()
	return g.own("otelcol_receiver_metricsudp_"+name+"_total", labels...)
}

// wellBehaved is a client that increments a counter 500 times per second.
type wellBehaved struct {
	t    *testing.T
	g    *gateway
	conn net.Conn
	sent atomic.Int64

	mu     sync.Mutex // locked while it sends
	paused bool
}

const wellBehavedName = "well_behaved"

func startWellBehaved(t *testing.T, g *gateway) *wellBehaved {
	conn, err := net.Dial("udp", g.udp)
	require.NoError(t, err)
	c := &wellBehaved{t: t, g: g, conn: conn}
	c.send(1)
	eventually(t, "its first datagram is on the page", func() bool { return c.received() == 1 })
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				c.mu.Lock()
				if !c.paused {
					c.send(1)
				}
				c.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		wg.Wait()
		_ = conn.Close()
	})
	return c
}

// pause returns when the last datagram has left.
func (c *wellBehaved) pause(paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = paused
}

func (c *wellBehaved) send(n int) {
	for range n {
		if _, err := c.conn.Write([]byte(wellBehavedName + ":1|c")); !assert.NoError(c.t, err) {
			return
		}
		c.sent.Add(1)
	}
}

// received returns the client's total on the Prometheus page.
func (c *wellBehaved) received() (total float64) {
	c.t.Helper()
	for _, s := range scrape(c.t, c.g.page, wellBehavedName+"_total") {
		total += s.value
	}
	return total
}
