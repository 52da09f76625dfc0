package fallbacklog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// testHost is the part of a Collector's host that the exporter uses.
type testHost struct {
	factories map[component.Type]exporter.Factory
	mu        sync.Mutex
	events    []*componentstatus.Event
}

func newTestHost(factories ...exporter.Factory) *testHost {
	h := &testHost{factories: map[component.Type]exporter.Factory{}}
	for _, f := range append(factories, otlpexporter.NewFactory(), otlphttpexporter.NewFactory()) {
		h.factories[f.Type()] = f
	}
	return h
}

func (*testHost) GetExtensions() map[component.ID]component.Component { return nil }

func (h *testHost) GetFactory(kind component.Kind, t component.Type) component.Factory {
	if f, ok := h.factories[t]; ok && kind == component.KindExporter {
		return f
	}
	return nil
}

func (h *testHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *testHost) seen() (statuses []componentstatus.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		statuses = append(statuses, e.Status())
	}
	return statuses
}

func (h *testHost) last() *componentstatus.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events[len(h.events)-1]
}

// gateway is one component with an instance per signal, as the Collector creates them.
type gateway struct {
	t       testing.TB
	dir     string
	tel     *componenttest.Telemetry
	host    *testHost
	traces  exporter.Traces
	metrics exporter.Metrics
	logs    exporter.Logs
	stopped bool
}

// testSettings are settings with short waits and without min_free_disk_mib.
func testSettings(dir string) map[string]any {
	return map[string]any{
		"timeout":          "2s",
		"retry_on_failure": map[string]any{"max_attempts": 2, "initial_interval": "1ms", "max_interval": "1ms"},
		"circuit_breaker":  map[string]any{"failure_threshold": 3, "open_interval": "20ms", "max_open_interval": "40ms"},
		"log":              map[string]any{"directory": dir, "min_free_disk_mib": 0, "max_segment_size_mib": 1, "max_disk_mib": 64},
	}
}

func loadConfig(t testing.TB, settings ...map[string]any) *Config {
	t.Helper()
	conf := confmap.New()
	for _, s := range settings {
		require.NoError(t, conf.Merge(confmap.NewFromStringMap(s)))
	}
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, conf.Unmarshal(cfg))
	return cfg
}

func grpcTo(b *backend) map[string]any {
	return map[string]any{"exporter": map[string]any{"otlp_grpc": map[string]any{
		"endpoint": b.grpcAddr, "tls": map[string]any{"insecure": true},
	}}}
}

func httpTo(b *backend) map[string]any {
	return map[string]any{"exporter": map[string]any{"otlp_http": map[string]any{"endpoint": b.httpURL, "compression": "none"}}}
}

// startGateway starts all three signals and shuts them down with the test.
func startGateway(t testing.TB, host *testHost, cfg *Config, logger ...*zap.Logger) *gateway {
	t.Helper()
	g, err := tryGateway(t, host, cfg, logger...)
	require.NoError(t, err)
	return g
}

// tryGateway starts a component. It logs only if it gets a logger.
func tryGateway(t testing.TB, host *testHost, cfg *Config, logger ...*zap.Logger) (*gateway, error) {
	t.Helper()
	require.NoError(t, confmap.Validate(cfg))
	g := &gateway{t: t, dir: cfg.Log.Directory, tel: componenttest.NewTelemetry(), host: host}
	f := NewFactory()
	set := exportertest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type())
	set.TelemetrySettings = g.tel.NewTelemetrySettings()
	for _, l := range logger {
		set.Logger = l
	}
	ctx := context.Background()
	var err error
	g.traces, err = f.CreateTraces(ctx, set, cfg)
	require.NoError(t, err)
	g.metrics, err = f.CreateMetrics(ctx, set, cfg)
	require.NoError(t, err)
	g.logs, err = f.CreateLogs(ctx, set, cfg)
	require.NoError(t, err)
	t.Cleanup(g.stop)
	for _, c := range []component.Component{g.traces, g.metrics, g.logs} {
		if err := c.Start(ctx, host); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (g *gateway) stop() {
	if g.stopped {
		return
	}
	g.stopped = true
	for _, c := range []component.Component{g.traces, g.metrics, g.logs} {
		require.NoError(g.t, c.Shutdown(context.Background()))
	}
	require.NoError(g.t, g.tel.Shutdown(context.Background()))
}

// sum adds the points of a counter or gauge that have the labels, given as pairs of name and value.
func (g *gateway) sum(name string, labels ...string) int64 {
	g.t.Helper()
	return harness.Sum(g.t, g.tel.Reader, "otelcol_exporter_fallbacklog_"+name, labels...)
}

// onDisk counts the items of every whole record in the signal's log, or with dead in its dead letter.
func onDisk(t testing.TB, dir, signal string, dead bool) (items int, lines [][]byte) {
	t.Helper()
	where := filepath.Join(dir, "fallbacklog", signal)
	if dead {
		where = filepath.Join(where, "dead-letter")
	}
	names, err := filepath.Glob(filepath.Join(where, "*.jsonl"))
	require.NoError(t, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
			m, err := record.Reader{}.Parse([]byte(line))
			require.NoError(t, err)
			items += m.Items
			lines = append(lines, []byte(line))
		}
	}
	return items, lines
}

func eventually(t testing.TB, ok func() bool, what string) {
	t.Helper()
	harness.Eventually(t, ok, 20*time.Second, 5*time.Millisecond, what)
}

// copyTree copies a directory as a crash would leave it.
func copyTree(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

func exporterSettings(t testing.TB, f exporter.Factory) exporter.Settings {
	t.Helper()
	set := exportertest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type())
	return set
}
