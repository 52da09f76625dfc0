package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// impatient makes an outage visible in seconds.
const impatient = `
exporters:
  fallbacklog:
    timeout: 1s
    budget: 2s
    circuit_breaker: {open_interval: 1s, max_open_interval: 2s}
`

const (
	breakerState  = "otelcol_exporter_fallbacklog_breaker_state"
	breakerClosed = 0
	breakerOpen   = 2
)

// wrapped is an exporter that fallbacklog wraps in TestOutage.
type wrapped struct {
	exporter    string // its configuration; %s is the backend's address
	metricsOnly bool
}

// TestOutage: the backend is down, then up but refusing, then hanging, then healthy. Every acknowledged item arrives. In
// between it is on disk as OTLP JSON, and the breaker opens and closes again.
func TestOutage(t *testing.T) {
	for name, w := range map[string]wrapped{
		"otlp_grpc":               {`{otlp_grpc: {endpoint: %s, tls: {insecure: true}}}`, false},
		"otlp_http":               {`{otlp_http: {endpoint: "http://%s"}}`, false},
		"prometheus_remote_write": {`{prometheus_remote_write: {endpoint: "http://%s/api/v1/write"}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			outage(t, w)
		})
	}
}

func outage(t *testing.T, w wrapped) {
	g := newGateway(t, "quickstart.yaml")
	g.withOverlay(fmt.Sprintf(`
exporters:
  debug:
  fallbacklog/wrapping:
    exporter: `+w.exporter+`
    log: {directory: %q}
    timeout: 1s
    budget: 2s
    circuit_breaker: {open_interval: 1s, max_open_interval: 2s}
service:
  pipelines:
    metrics: {exporters: [forward/page, fallbacklog/wrapping]}
`, g.backend, g.log))
	other := "fallbacklog/wrapping"
	if w.metricsOnly {
		other = "debug"
	}
	g.withOverlay(fmt.Sprintf("service: {pipelines: {traces: {exporters: [%[1]s]}, logs: {exporters: [%[1]s]}}}", other))
	g.start()
	s := newSender(t, g.grpc)
	s.metricsOnly = w.metricsOnly

	// The backend is not listening.
	s.sendAll(t, 150)
	eventually(t, "the breaker opens", func() bool { return g.own(breakerState) == breakerOpen })
	assert.ElementsMatch(t, s.acknowledged(), loggedIDs(t, g.log), "what was acknowledged is in the log, once")

	// The backend listens and answers UNAVAILABLE.
	b := startBackend(t, g.backend)
	b.setDeny(true)
	eventually(t, "a probe reaches the backend", func() bool { return b.refusals() > 0 })
	s.sendAll(t, 30)
	assert.ElementsMatch(t, s.acknowledged(), loggedIDs(t, g.log), "nothing is given up")

	// The backend listens and does not answer.
	b.setHang(true)
	b.setDeny(false)
	s.sendAll(t, 60)
	eventually(t, "a probe reaches the hanging backend", func() bool { return b.hanging() > 0 })
	s.sendAll(t, 30)
	assert.NotEqual(t, float64(breakerClosed), g.own(breakerState), "a backend that hangs is not well")

	// The backend accepts.
	b.setHang(false)
	eventually(t, "every acknowledged item arrives", func() bool { all, _ := b.has(s.acknowledged()); return all })
	eventually(t, "the breaker closes", func() bool { return g.own(breakerState) == breakerClosed })
	eventually(t, "the log is drained", func() bool { return len(loggedIDs(t, g.log)) == 0 })

	// New data is sent directly again.
	replayed := g.own("otelcol_exporter_fallbacklog_delivered_items_total", "path", "replayed")
	direct := g.own("otelcol_exporter_fallbacklog_delivered_items_total", "path", "direct")
	s.sendAll(t, 30)
	all, missing := b.has(s.acknowledged())
	assert.True(t, all, "%s was acknowledged but is neither delivered nor logged", missing)
	assert.InDelta(t, direct+30, g.own("otelcol_exporter_fallbacklog_delivered_items_total", "path", "direct"), 0)
	assert.Positive(t, replayed)
	for _, name := range []string{"dropped", "dead_letter", "rejected", "expired"} {
		metric := "otelcol_exporter_fallbacklog_" + name + "_items_total"
		assert.Zero(t, g.own(metric), metric)
	}
	g.stop()
	t.Logf("%d items acknowledged over an outage, %d delivered directly, %d replayed", len(s.acknowledged()), int(direct)+30, int(replayed))
}

// TestTerminate: SIGTERM during the traffic. Data accepted over OTLP is delivered or in the log. Data sent over UDP is
// delivered, although its interval was still open.
func TestTerminate(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", impatient, `
receivers:
  metricsudp: {temporality: delta, aggregation_interval: 60s}
service:
  pipelines:
    metrics: {processors: [memory_limiter, cardinalitylimit], exporters: [forward/page, fallbacklog]}
`)
	g.start()
	b := startBackend(t, g.backend)

	profile := load.DefaultProfile()
	profile.Endpoint = g.udp
	profile.Types = []string{"c", "ms"}
	profile.Series = 400
	profile.Rate, profile.Duration, profile.Lines = 50_000, 0, 100_000
	ledger, err := load.Run(withTimeout(t), profile, nil)
	require.NoError(t, err)

	s := newSender(t, g.grpc)
	require.Zero(t, g.own("otelcol_receiver_metricsudp_kernel_drops_total"), "the socket buffer is too small for this test")
	wait := s.sendUntilRefused(t)
	eventually(t, "traffic", func() bool { return len(s.acknowledged()) > 2000 })
	g.stop()
	wait()
	// The log may contain data that was being sent. The next start delivers it.
	g.start()
	eventually(t, "every acknowledged item arrives", func() bool { all, _ := b.has(s.acknowledged()); return all })
	for _, metric := range []string{"load.counter", "load.timer"} {
		want := ledger.Metrics[metric].Sum
		eventually(t, fmt.Sprintf("%s arrives with %v", metric, want), func() bool { return b.sum(metric) == want })
	}
	g.stop()
	t.Logf("%d lines over UDP (%.0f lines/s) and %d items over OTLP, none lost by SIGTERM", ledger.Lines, ledger.LinesPerSecond, len(s.acknowledged()))
}

// TestKill: kill -9 during an outage. Acknowledged data arrives after the restart.
func TestKill(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", impatient)
	g.start()
	s := newSender(t, g.grpc)
	s.sendAll(t, 60)
	wait := s.sendUntilRefused(t)
	eventually(t, "an outage under load", func() bool { return len(s.acknowledged()) > 2000 })
	g.kill()
	wait()

	b := startBackend(t, g.backend)
	g.start()
	eventually(t, "every acknowledged item arrives", func() bool { all, _ := b.has(s.acknowledged()); return all })
	eventually(t, "the log is drained", func() bool { return len(loggedIDs(t, g.log)) == 0 })
	g.stop()
	t.Logf("%d items acknowledged before kill -9, all of them delivered after the restart", len(s.acknowledged()))
}

// TestTakenDirectory: a second gateway on the same directory is refused with the reason.
func TestTakenDirectory(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	g.start()
	second := newGateway(t, "quickstart.yaml")
	second.env["FALLBACKLOG_DIRECTORY"] = g.log
	output := second.fails(t)
	assert.Contains(t, output, "log::directory")
	assert.Contains(t, output, filepath.Base(g.log))
	g.stop()
}

// loggedIDs reads the ids of all items in the log with OTLP's own JSON decoders. A record that a decoder cannot read fails the
// test.
func loggedIDs(t *testing.T, directory string) []string {
	t.Helper()
	var ids []string
	for signal, read := range map[string]func([]byte) []string{
		"metrics": metricIDs, "logs": logIDs, "traces": spanIDs,
	} {
		err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil // deleted by the replay while we looked
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".jsonl") || filepath.Base(filepath.Dir(path)) != signal {
				return err
			}
			ids = append(ids, pendingIDs(t, path, read)...)
			return nil
		})
		require.NoError(t, err)
	}
	return ids
}

// pendingIDs reads the complete lines of one segment. The last line may not be written completely yet.
func pendingIDs(t *testing.T, path string, read func([]byte) []string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	var ids []string
	for line := range bytes.Lines(content) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		require.True(t, json.Valid(line), "%s: %q", path, line)
		ids = append(ids, read(line)...)
	}
	return ids
}

func metricIDs(line []byte) (ids []string) {
	data, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
	if err != nil {
		return []string{err.Error()}
	}
	for _, rm := range data.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, p := range m.Gauge().DataPoints().All() {
					id, _ := p.Attributes().Get("id")
					ids = append(ids, id.Str())
				}
			}
		}
	}
	return ids
}

func logIDs(line []byte) (ids []string) {
	data, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
	if err != nil {
		return []string{err.Error()}
	}
	for _, rl := range data.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				id, _ := r.Attributes().Get("id")
				ids = append(ids, id.Str())
			}
		}
	}
	return ids
}

func spanIDs(line []byte) (ids []string) {
	data, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
	if err != nil {
		return []string{err.Error()}
	}
	for _, rs := range data.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				id, _ := span.Attributes().Get("id")
				ids = append(ids, id.Str())
			}
		}
	}
	return ids
}

// fails runs the gateway, which must refuse to start, and returns its output.
func (g *gateway) fails(t *testing.T) string {
	t.Helper()
	cmd := g.command()
	output := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = output, output
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	require.Error(t, cmd.Wait(), "the gateway started:\n%s", output)
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", output)
	return output.String()
}
