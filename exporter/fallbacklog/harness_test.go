package fallbacklog

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// backend is an OTLP server over gRPC and HTTP. A test decides its answers. It keeps the names of the accepted items.
type backend struct {
	answer func(name string) error // for each item; nil: accept it; guarded by mu
	hang   chan struct{}           // if not nil, answers wait until it is closed; guarded by mu
	lost   error                   // error that senders get for accepted requests; guarded by mu
	mu     sync.Mutex
	took   map[string]int
	calls  int

	grpcAddr, httpURL string
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	b := &backend{took: map[string]int{}}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(srv, &traceServer{b: b})
	pmetricotlp.RegisterGRPCServer(srv, &metricServer{b: b})
	plogotlp.RegisterGRPCServer(srv, &logServer{b: b})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis)
	}()
	web := httptest.NewServer(b)
	b.grpcAddr, b.httpURL = lis.Addr().String(), web.URL
	t.Cleanup(func() {
		b.release()
		srv.Stop()
		<-served
		web.CloseClientConnections()
		web.Close()
	})
	return b
}

func (b *backend) set(answer func(string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

func (b *backend) refuse(c codes.Code) {
	b.set(func(string) error { return status.Error(c, "told to") })
}

// loseAnswers makes senders get an error for accepted requests, as if the answers came too late.
func (b *backend) loseAnswers(lost error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = lost
}

func (b *backend) holdAnswers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hang = make(chan struct{})
}

func (b *backend) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hang != nil {
		close(b.hang)
		b.hang = nil
	}
}

func (b *backend) receive(ctx context.Context, names []string) error {
	b.mu.Lock()
	hang := b.hang
	b.calls++
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range names {
		if b.answer == nil {
			break
		}
		if err := b.answer(n); err != nil {
			return err
		}
	}
	for _, n := range names {
		b.took[n]++
	}
	return b.lost
}

func (b *backend) names() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := make(map[string]int, len(b.took))
	for k, v := range b.took {
		m[k] = v
	}
	return m
}

type (
	traceServer struct {
		ptraceotlp.UnimplementedGRPCServer
		b *backend
	}
	metricServer struct {
		pmetricotlp.UnimplementedGRPCServer
		b *backend
	}
	logServer struct {
		plogotlp.UnimplementedGRPCServer
		b *backend
	}
)

func (s *traceServer) Export(ctx context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	return ptraceotlp.NewExportResponse(), s.b.receive(ctx, traceNames(r.Traces()))
}

func (s *metricServer) Export(ctx context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	return pmetricotlp.NewExportResponse(), s.b.receive(ctx, metricNames(r.Metrics()))
}

func (s *logServer) Export(ctx context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	return plogotlp.NewExportResponse(), s.b.receive(ctx, logNames(r.Logs()))
}

// ServeHTTP serves OTLP over HTTP.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var names []string
	switch r.URL.Path {
	case "/v1/traces":
		req := ptraceotlp.NewExportRequest()
		err = req.UnmarshalProto(body)
		names = traceNames(req.Traces())
	case "/v1/metrics":
		req := pmetricotlp.NewExportRequest()
		err = req.UnmarshalProto(body)
		names = metricNames(req.Metrics())
	case "/v1/logs":
		req := plogotlp.NewExportRequest()
		err = req.UnmarshalProto(body)
		names = logNames(req.Logs())
	}
	if err == nil {
		err = b.receive(r.Context(), names)
	}
	if err != nil {
		code, ok := map[codes.Code]int{
			codes.Unavailable: 503, codes.InvalidArgument: 400, codes.Unauthenticated: 401, codes.ResourceExhausted: 429,
		}[status.Code(err)]
		if !ok {
			code = 500
		}
		w.WriteHeader(code)
	}
}

func traceNames(td ptrace.Traces) (names []string) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				names = append(names, s.Name())
			}
		}
	}
	return names
}

func metricNames(md pmetric.Metrics) (names []string) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				names = append(names, m.Name())
			}
		}
	}
	return names
}

func logNames(ld plog.Logs) (names []string) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				names = append(names, r.Body().Str())
			}
		}
	}
	return names
}

func makeTraces(name string, n int) ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		spans.AppendEmpty().SetName(fmt.Sprintf("%s/%d", name, i))
	}
	return td
}

func makeMetrics(name string, n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	ms := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for i := range n {
		m := ms.AppendEmpty()
		m.SetName(fmt.Sprintf("%s/%d", name, i))
		m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(int64(i))
	}
	return md
}

func makeLogs(name string, n int) plog.Logs {
	ld := plog.NewLogs()
	rs := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		rs.AppendEmpty().Body().SetStr(fmt.Sprintf("%s/%d", name, i))
	}
	return ld
}

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

// sum adds the points of a counter or gauge whose attributes include all of attrs ("key=value").
func (g *gateway) sum(name string, attrs ...string) int64 {
	m, err := g.tel.GetMetric("otelcol_exporter_fallbacklog_" + name)
	if err != nil {
		return 0
	}
	var points []metricdata.DataPoint[int64]
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		points = d.DataPoints
	case metricdata.Gauge[int64]:
		points = d.DataPoints
	}
	var total int64
	for _, p := range points {
		matches := true
		for _, a := range attrs {
			found := false
			for _, kv := range p.Attributes.ToSlice() {
				found = found || string(kv.Key)+"="+kv.Value.String() == a
			}
			matches = matches && found
		}
		if matches {
			total += p.Value
		}
	}
	return total
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
	require.Eventually(t, ok, 20*time.Second, 5*time.Millisecond, what)
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
