package e2e

import (
	"crypto/tls"
	encoding "encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// transport is a way to send lines to the gateway.
type transport struct {
	name      string
	settings  string // of the receiver, in YAML
	dial      func(*testing.T) net.Conn
	framed    bool
	connected bool   // the receiver counts connections
	datadog   string // address for datadog-go, where it knows the transport
}

// transports are all transports of the receiver, with their own addresses.
func transports(t *testing.T, a *authority) []transport {
	dir, err := os.MkdirTemp("", "udp") //nolint:usetesting // t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	addresses := freeAddresses(t, 3)
	plain := func(network, address string) func(*testing.T) net.Conn {
		return func(t *testing.T) net.Conn {
			c, err := net.Dial(network, address)
			require.NoError(t, err)
			return c
		}
	}
	secure := func(t *testing.T) net.Conn {
		c, err := tls.Dial("tcp", addresses[1], &tls.Config{RootCAs: a.pool(), MinVersion: tls.VersionTLS12})
		require.NoError(t, err)
		return c
	}
	udp, gram, lines, frames := freeUDPAddress(t), filepath.Join(dir, "gram"), filepath.Join(dir, "lines"), filepath.Join(dir, "frames")
	certFile, keyFile := a.issue("receiver")
	return []transport{
		{name: "udp", settings: "endpoint: " + udp, dial: plain("udp", udp), datadog: udp},
		{name: "unixgram", settings: "transport: unixgram, endpoint: " + gram, dial: plain("unixgram", gram), datadog: "unixgram://" + gram},
		{name: "tcp", settings: "transport: tcp, endpoint: " + addresses[0], dial: plain("tcp", addresses[0]), connected: true},
		{name: "tcp_tls", settings: fmt.Sprintf("transport: tcp, endpoint: %q, tls: {cert_file: %q, key_file: %q}", addresses[1], certFile, keyFile), dial: secure, connected: true},
		{name: "tcp_frames", settings: "transport: tcp, framing: length, endpoint: " + addresses[2], dial: plain("tcp", addresses[2]), framed: true, connected: true},
		{name: "unix_lines", settings: "transport: unix, framing: newline, endpoint: " + lines, dial: plain("unix", lines), connected: true},
		{name: "unix_frames", settings: "transport: unix, endpoint: " + frames, dial: plain("unix", frames), framed: true, connected: true, datadog: "unixstream://" + frames},
	}
}

// send writes a payload of lines in the form of the transport.
func (tr *transport) send(t *testing.T, c net.Conn, payload string) {
	t.Helper()
	if tr.framed {
		payload = string(encoding.LittleEndian.AppendUint32(nil, uint32(len(payload)))) + payload
	}
	_, err := io.WriteString(c, payload)
	require.NoError(t, err)
}

// TestTransports: one gateway with a receiver per transport accounts for every line of many short and long connections, and for
// events and service checks. It reads everything that was sent before its shutdown.
func TestTransports(t *testing.T) {
	all := transports(t, newAuthority(t))
	var receivers, names []string
	for _, tr := range all {
		receivers = append(receivers, fmt.Sprintf("  metricsudp/%s: {%s, temporality: delta, aggregation_interval: 250ms}", tr.name, tr.settings))
		names = append(names, "metricsudp/"+tr.name)
	}
	g := newGateway(t, "quickstart.yaml", fmt.Sprintf(`
receivers:
%s
exporters: {otlp_grpc: {endpoint: "${env:OTLP_ENDPOINT}", tls: {insecure: true}, sending_queue: {enabled: false}}}
service:
  pipelines:
    metrics: {receivers: [%[2]s], processors: [], exporters: [otlp_grpc]}
    metrics/page: {receivers: [otlp]}
    logs: {receivers: [%[2]s], processors: [], exporters: [otlp_grpc]}
`, strings.Join(receivers, "\n"), strings.Join(names, ", ")))
	r := startRecorder(t, g.backend)
	g.start()

	const long, short, each = 4, 50, 25
	held := make([]net.Conn, len(all)) // open until the gateway has ended
	for i := range all {
		tr := &all[i]
		for n := range long + short {
			c := tr.dial(t)
			payloads := 1
			if n < long {
				payloads = each
			}
			for range payloads {
				tr.send(t, c, fmt.Sprintf("%[1]s.hits:1|c|#a:b\n%[1]s.took:1:2|ms\n", tr.name))
			}
			require.NoError(t, c.Close())
		}
		held[i] = tr.dial(t)
		tr.send(t, held[i], fmt.Sprintf("%s.hits:1|c|#a:b\nbad\n_e{5,4}:title|text|#by:%[1]s\n_sc|%[1]s|2|m:stuck\n", tr.name))
	}
	counted := func(tr *transport, name string, labels ...string) float64 {
		return g.own("otelcol_receiver_metricsudp_"+name+"_total", append(labels, "receiver", "metricsudp/"+tr.name)...)
	}
	const lines = long*each + short
	for i := range all {
		tr := &all[i]
		eventually(t, tr.name+": every line is counted", func() bool {
			return counted(tr, "lines", "type", "counter") == lines+1 && counted(tr, "rejected_lines") == 1
		})
		assert.InDelta(t, lines, counted(tr, "lines", "type", "timer"), 0, tr.name)
		assert.InDelta(t, 1, counted(tr, "lines", "type", "event"), 0, tr.name)
		assert.InDelta(t, 1, counted(tr, "lines", "type", "service_check"), 0, tr.name)
		assert.Zero(t, counted(tr, "kernel_drops"), tr.name)
		if tr.connected {
			eventually(t, tr.name+": every connection has ended", func() bool {
				return g.own("otelcol_receiver_metricsudp_ended_connections_total", "reason", "closed", "receiver", "metricsudp/"+tr.name) == long+short
			})
		}
		tr.send(t, held[i], fmt.Sprintf("%s.last:7|c\n", tr.name)) // read by the shutdown
	}
	g.stop()
	for _, c := range held {
		require.NoError(t, c.Close())
	}
	sums, points := r.counterSums(), r.points()
	records := r.asJSON(t)
	for _, tr := range all {
		assert.Equal(t, int64(lines+1), sums[tr.name+".hits"], tr.name)
		assert.Equal(t, int64(7), sums[tr.name+".last"], tr.name)
		assert.Positive(t, points[tr.name+".took"], tr.name)
		assert.Contains(t, records, fmt.Sprintf(`{"key":"by","value":{"stringValue":%q}}`, tr.name), "the event")
		assert.Contains(t, records, fmt.Sprintf(`{"key":"dogstatsd.service_check.name","value":{"stringValue":%q}}`, tr.name))
	}
	assert.Len(t, r.eventNames(), 2*len(all))
}

// TestDatadogOverEachTransport: the events, service checks and metrics of datadog-go arrive over each of its transports.
func TestDatadogOverEachTransport(t *testing.T) {
	for _, tr := range transports(t, newAuthority(t)) {
		if tr.datadog == "" {
			continue
		}
		t.Run(tr.name, func(t *testing.T) {
			g := newGateway(t, "quickstart.yaml", fmt.Sprintf(`
receivers: {metricsudp/client: {%s, temporality: delta, aggregation_interval: 250ms}}
exporters: {otlp_grpc: {endpoint: "${env:OTLP_ENDPOINT}", tls: {insecure: true}, sending_queue: {enabled: false}}}
service:
  pipelines:
    metrics: {receivers: [metricsudp/client], processors: [], exporters: [otlp_grpc]}
    metrics/page: {receivers: [otlp]}
    logs: {receivers: [metricsudp/client], processors: [], exporters: [otlp_grpc]}
`, tr.settings))
			r := startRecorder(t, g.backend)
			g.start()
			client, err := statsd.New(tr.datadog, statsd.WithoutTelemetry())
			require.NoError(t, err)
			const calls = 3000
			for range calls {
				require.NoError(t, client.Count("hits", 2, []string{"a:b"}, 1))
			}
			require.NoError(t, client.Event(&statsd.Event{
				Title: "fire", Text: "on deck\nnow", Hostname: "ship", Priority: statsd.Low, AlertType: statsd.Warning, Tags: []string{"deck:2"},
			}))
			require.NoError(t, client.ServiceCheck(&statsd.ServiceCheck{Name: "pumps", Status: statsd.Critical, Message: "stuck"}))
			require.NoError(t, client.Close()) // flushes
			eventually(t, "both records are at the backend", func() bool { return len(r.eventNames()) == 2 })
			g.stop()
			assert.Equal(t, int64(2*calls), r.counterSums()["hits"])
			assert.ElementsMatch(t, []string{"dogstatsd.event", "dogstatsd.service_check"}, r.eventNames())
			records := r.asJSON(t)
			for _, part := range []string{
				`{"key":"host.name","value":{"stringValue":"ship"}}`, `"body":{"stringValue":"on deck\nnow"}`, `"severityText":"warning"`,
				`{"key":"dogstatsd.event.title","value":{"stringValue":"fire"}}`, `{"key":"dogstatsd.event.priority","value":{"stringValue":"low"}}`,
				`{"key":"deck","value":{"stringValue":"2"}}`, `"body":{"stringValue":"stuck"}`, `"severityText":"critical"`,
			} {
				assert.Contains(t, records, part)
			}
		})
	}
}

// TestStalledLogsLeaveMetrics: while the logs pipeline hangs, metrics continue. Events beyond buffer_size are dropped and
// counted, and the others arrive when the pipeline continues.
func TestStalledLogsLeaveMetrics(t *testing.T) {
	const room, events = 50, 400
	slow := freeAddresses(t, 1)[0]
	g := newGateway(t, "quickstart.yaml", fmt.Sprintf(`
receivers: {metricsudp: {temporality: delta, aggregation_interval: 250ms, buffer_size: %d}}
exporters:
  otlp_grpc/metrics: {endpoint: "${env:OTLP_ENDPOINT}", tls: {insecure: true}, sending_queue: {enabled: false}}
  otlp_grpc/logs: {endpoint: %q, tls: {insecure: true}, timeout: 60s, sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}
service:
  pipelines:
    metrics: {processors: [], exporters: [otlp_grpc/metrics]}
    metrics/page: {receivers: [otlp]}
    logs: {receivers: [metricsudp], processors: [], exporters: [otlp_grpc/logs]}
`, room, slow))
	metrics, logs := startBackend(t, g.backend), startBackend(t, slow)
	logs.setHang(true)
	g.start()

	g.sendDatagram(t, "_e{5,4}:first|text|#id:first")
	eventually(t, "the logs pipeline hangs", func() bool { return logs.hanging() == 1 })
	for i := range events {
		g.sendDatagram(t, fmt.Sprintf("_e{5,4}:title|text|#id:e%d\nhits:1|c", i))
	}
	eventually(t, "metrics go on", func() bool { return metrics.sum("hits") == events })
	dropped := func() float64 { return g.own("otelcol_receiver_metricsudp_dropped_events_total") }
	eventually(t, "the events beyond are counted", func() bool { return dropped() == events-room })
	g.sendDatagram(t, "hits:1|c")
	eventually(t, "metrics still go on", func() bool { return metrics.sum("hits") == events+1 })

	logs.setHang(false)
	logs.stop() // ends the request that hangs
	logs.start(t, slow)
	eventually(t, "those that had room arrive", func() bool { return logs.distinct() == 1+room })
	assert.InDelta(t, events-room, dropped(), 0)
	g.stop()
	assert.Equal(t, 1+room, logs.distinct())
}
