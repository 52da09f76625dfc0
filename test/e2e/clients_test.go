package e2e

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timedBefore is a Unix second (in 2020). Timestamps that a client sets itself are before it.
const timedBefore = 1_577_836_800

// client is a public StatsD or DogStatsD client that sends.
type client struct {
	name string // what the names of its metrics begin with
	// send makes the client's calls and closes the client. It returns the ledger of the calls that the client does not sample.
	send func(t *testing.T, prefix, address string) ledger
	// check asserts that the wire carried the features for which the client is in the test.
	check func(t *testing.T, w *wire)
}

var clients = []client{
	{"datadog", sendDatadog, checkDatadog},
	{"datadog_extended", sendDatadogExtended, checkDatadogExtended},
	{"cactus", sendCactus, checkCactus},
	{"cactus_buffered", sendCactusBuffered, checkCactusBuffered},
	{"hotshots", sendHotShots, checkHotShots},
	{"hotshots_buffered", sendHotShotsBuffered, checkHotShotsBuffered},
}

// TestClients: the calls of public clients are on the wire, and the wire is at the backend, series by series, over several
// intervals. Every datagram and every line is accounted for.
func TestClients(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", `
receivers: {metricsudp: {aggregation_interval: 250ms, temporality: delta}}
`)
	g.start()
	b := startBackend(t, g.backend)

	// Twice, so that each series has several intervals, with idle ones between them.
	sent, total := ledger{}, newWire()
	for round := range 2 {
		for _, c := range clients {
			w := c.run(t, c.name+".all", g.udp)
			total.merge(w)
			sent.merge(w.ledger)
		}
		b.eventuallySaw(t, fmt.Sprintf("round %d", round), sent, false)
	}

	counted := func(name string, labels ...string) float64 {
		return g.own("otelcol_receiver_metricsudp_"+name+"_total", labels...)
	}
	eventually(t, "every datagram is accounted for", func() bool {
		return counted("datagrams")+counted("kernel_drops") == float64(total.datagrams)
	})
	assert.Zero(t, counted("kernel_drops"), "the totals above are right")
	assert.InDelta(t, total.bytes, counted("bytes"), 0)
	assert.InDelta(t, total.rejected, counted("rejected_lines"), 0)
	assert.Positive(t, total.rejected, "negative counters")
	for _, kind := range []string{"counter", "gauge", "timer", "histogram", "distribution", "set", "event", "service_check"} {
		assert.Positive(t, total.lines[kind], kind)
		assert.InDelta(t, total.lines[kind], counted("lines", "type", kind), 0, kind)
	}
	assert.Zero(t, counted("truncated_datagrams"))
	assert.Zero(t, counted("overflowed_samples"))
	b.look(func(s *seen) { assert.Empty(t, s.broken) })
	g.stop()
	t.Logf("%d clients: %d datagrams, %d bytes, %d series; lines %v and %d rejected; lines with the fields %v",
		len(clients), total.datagrams, total.bytes, len(sent), total.lines, total.rejected, total.fields)
}

// TestClientsAtShutdown: when the gateway ends, the open interval reaches the backend, with everything that the clients sent
// before. Members of sets are counted exactly, because they came in one interval.
func TestClientsAtShutdown(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", `
receivers: {metricsudp: {aggregation_interval: 24h, align_interval: false, temporality: delta}}
exporters: {otlp_grpc: {endpoint: "${env:OTLP_ENDPOINT}", tls: {insecure: true}, sending_queue: {enabled: false}}}
service: {pipelines: {metrics: {exporters: [otlp_grpc]}, metrics/page: {receivers: [otlp]}}}
`)
	g.start()
	b := startBackend(t, g.backend)
	sent := ledger{}
	for _, c := range clients {
		sent.merge(c.run(t, c.name+".last", g.udp).ledger)
	}
	b.look(func(s *seen) { require.Empty(t, s.ledger, "the interval is open") })
	g.stop()
	b.look(func(s *seen) {
		assert.Empty(t, sent.differences(s.ledger, true))
		assert.Len(t, s.ledger, len(sent), "and nothing else")
		assert.Empty(t, s.broken)
	})
}

// run lets a client send to the gateway and returns what the client put on the wire, which must equal its calls.
func (c client) run(t *testing.T, prefix, gateway string) (w *wire) {
	ok := t.Run(c.name, func(t *testing.T) { // of its own, for its environment
		r := startRelay(t, gateway)
		calls := c.send(t, prefix, r.address)
		w = r.finish(t)
		require.NotEmpty(t, calls)
		require.Empty(t, calls.differences(w.ledger, true), "what was called, and what the wire carried")
		c.check(t, w)
	})
	require.True(t, ok)
	return w
}

// eventuallySaw waits until the backend has every series of the ledger with the same content.
func (b *backend) eventuallySaw(t *testing.T, what string, l ledger, exactSets bool) {
	t.Helper()
	var missing []string
	defer func() {
		if len(missing) > 0 {
			t.Errorf("%s: the backend lacks %q", what, missing)
		}
	}()
	eventually(t, what+" is at the backend", func() bool {
		b.look(func(s *seen) { missing = l.differences(s.ledger, exactSets) })
		return len(missing) == 0
	})
}

// merge adds a later ledger.
func (l ledger) merge(later ledger) {
	for key, s := range later {
		to := l.stream(s.kind, key)
		to.count += s.count
		to.sum += s.sum
		to.last, to.most = s.last, max(to.most, s.most)
		maps.Copy(to.unique, s.unique)
		for _, p := range s.timed {
			l.addTimed(s.kind, key, p.seconds, p.value)
		}
	}
}

func (w *wire) merge(other *wire) {
	w.datagrams += other.datagrams
	w.bytes += other.bytes
	w.rejected += other.rejected
	for kind, n := range other.lines {
		w.lines[kind] += n
	}
	for field, n := range other.fields {
		w.fields[field] += n
	}
}
