package fallbacklog

import (
	"context"
	"flag"
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

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/loadbalancingexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

var update = flag.Bool("update", false, "write what the exporter makes of each answer to testdata/answers.txt")

// answering is a downstream with OTLP over gRPC and any protocol over HTTP. A test decides every answer.
type answering struct {
	mu    sync.Mutex
	calls int
	http  http.HandlerFunc
	grpc  func(context.Context) (pmetricotlp.ExportResponse, error)

	url, addr string
	pmetricotlp.UnimplementedGRPCServer
}

func newAnswering(t *testing.T) *answering {
	t.Helper()
	a := &answering{}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := grpc.NewServer()
	pmetricotlp.RegisterGRPCServer(srv, a)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis)
	}()
	web := httptest.NewServer(a)
	a.addr, a.url = lis.Addr().String(), web.URL
	t.Cleanup(func() {
		srv.Stop()
		<-served
		web.CloseClientConnections()
		web.Close()
	})
	return a
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.calls++
	answer := a.http
	a.mu.Unlock()
	answer(w, r)
}

func (a *answering) Export(ctx context.Context, _ pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	a.mu.Lock()
	a.calls++
	answer := a.grpc
	a.mu.Unlock()
	return answer(ctx)
}

// set sets the next answers and forgets the calls.
func (a *answering) set(web http.HandlerFunc, rpc func(context.Context) (pmetricotlp.ExportResponse, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls, a.http, a.grpc = 0, web, rpc
}

func (a *answering) asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

func (a *answering) exporters() map[string]map[string]any {
	return map[string]map[string]any{
		"otlp_grpc":               {"endpoint": a.addr, "tls": map[string]any{"insecure": true}},
		"otlp_http":               {"endpoint": a.url},
		"prometheus_remote_write": {"endpoint": a.url},
	}
}

// startMetrics starts a component with only the metrics signal around an exporter.
func startMetrics(t *testing.T, wrapped string, conf map[string]any, settings ...map[string]any) *gateway {
	t.Helper()
	dir := t.TempDir()
	cfg := loadConfig(t, append([]map[string]any{
		testSettings(dir), {"exporter": map[string]any{wrapped: conf}, "log": map[string]any{"fsync": "none"}},
	}, settings...)...)
	g := &gateway{t: t, dir: dir, tel: componenttest.NewTelemetry()}
	f := NewFactory()
	set := exporterSettings(t, f)
	set.TelemetrySettings = g.tel.NewTelemetrySettings()
	host := newTestHost(prometheusremotewriteexporter.NewFactory(), loadbalancingexporter.NewFactory())
	var err error
	g.metrics, err = f.CreateMetrics(context.Background(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, g.metrics.Start(context.Background(), host))
	t.Cleanup(func() {
		require.NoError(t, g.metrics.Shutdown(context.Background()))
		require.NoError(t, g.tel.Shutdown(context.Background()))
	})
	return g
}

// outcome describes the outcome of one batch.
func (g *gateway) outcome() string {
	var outcomes []string
	for _, reason := range []string{"max_attempts", "budget", "systemic", "opaque_permanent", "breaker_open", "canceled", "too_large"} {
		if g.sum("logged_items", "reason", reason) > 0 {
			outcomes = append(outcomes, "logged: "+reason)
		}
	}
	if g.sum("delivered_items") > 0 {
		outcomes = append(outcomes, "delivered")
	}
	if g.sum("rejected_items") > 0 {
		outcomes = append(outcomes, "rejected")
	}
	if g.sum("dead_letter_items") > 0 {
		_, lines := onDisk(g.t, g.dir, "metrics", true)
		_, code, _ := strings.Cut(string(lines[0]), `"code":"`)
		code, _, _ = strings.Cut(code, `"`)
		outcomes = append(outcomes, "dead letter: "+code)
	}
	if g.sum("breaker_state") == 2 {
		outcomes = append(outcomes, "parked")
	}
	return strings.Join(outcomes, ", ")
}

func (g *gateway) errorClass() string {
	for _, c := range []failure.Class{
		failure.Network, failure.Timeout, failure.Throttled, failure.Auth, failure.Config, failure.Serialization,
		failure.Permanent, failure.Opaque, failure.Canceled, failure.Unknown, failure.TooLarge,
	} {
		if g.sum("errors", "error_type", string(c)) > 0 {
			return string(c)
		}
	}
	return "-"
}

// Each answer that an exporter can get has one outcome for a batch. The test goes through the component, the exporter and the
// network. The answers ask for an hour in RetryInfo or Retry-After, which is longer than the budget: an exporter whose answers
// are noted makes one attempt, and the reason is the budget.
func TestEveryAnswer(t *testing.T) {
	a := newAnswering(t)
	type answer struct {
		name string
		http http.HandlerFunc
		grpc func(context.Context) (pmetricotlp.ExportResponse, error)
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the server would not notice that the client disconnects
		<-r.Context().Done()
	}
	var web, rpc []answer
	for _, code := range []int{
		200, 202, 204, 301, 304, 400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 501, 502, 503, 504, 505, 507,
	} {
		web = append(web, answer{name: fmt.Sprint(code), http: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }})
		if code >= 400 {
			web = append(web, answer{name: fmt.Sprint(code, " retry after 1h"), http: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(code)
			}})
		}
	}
	web = append(web, answer{name: "reset", http: reset}, answer{name: "hangs", http: hang})
	for code := range codes.Code(17) {
		st := status.New(code, "told to")
		rpc = append(rpc, answer{name: code.String(), grpc: func(context.Context) (pmetricotlp.ExportResponse, error) {
			return pmetricotlp.NewExportResponse(), st.Err()
		}})
		if code == codes.OK {
			continue
		}
		informed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Hour)})
		require.NoError(t, err)
		rpc = append(rpc, answer{name: code.String() + " retry after 1h", grpc: func(context.Context) (pmetricotlp.ExportResponse, error) {
			return pmetricotlp.NewExportResponse(), informed.Err()
		}})
	}
	rpc = append(rpc, answer{name: "hangs", grpc: func(ctx context.Context) (pmetricotlp.ExportResponse, error) {
		<-ctx.Done()
		return pmetricotlp.NewExportResponse(), ctx.Err()
	}})

	var table strings.Builder
	row := func(cells ...any) { fmt.Fprintf(&table, "%-24s %-34v %8v  %-14s %s\n", cells...) }
	row("exporter", "answer", "attempts", "error type", "outcome")
	for _, wrapped := range []string{"otlp_grpc", "otlp_http", "prometheus_remote_write"} {
		answers := web
		if wrapped == "otlp_grpc" {
			answers = rpc
		}
		for _, an := range answers {
			a.set(an.http, an.grpc)
			settings := map[string]any{
				"replay":          map[string]any{"enabled": false},
				"circuit_breaker": map[string]any{"open_interval": "1h", "max_open_interval": "2h"},
			}
			if an.name == "hangs" {
				settings["timeout"] = "50ms"
			}
			g := startMetrics(t, wrapped, a.exporters()[wrapped], settings)
			require.NoError(t, g.metrics.ConsumeMetrics(context.Background(), makeMetrics("m", 1)), an.name)
			row(wrapped, an.name, a.asked(), g.errorClass(), g.outcome())
		}
	}
	golden := filepath.Join("testdata", "answers.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(table.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), table.String())
}

// Partial success is a success. The rejected items are counted and never sent again, from the pipeline and from the log.
func TestPartialSuccess(t *testing.T) {
	answer := func(rejected int64) pmetricotlp.ExportResponse {
		r := pmetricotlp.NewExportResponse()
		r.PartialSuccess().SetRejectedDataPoints(rejected)
		r.PartialSuccess().SetErrorMessage("too old")
		return r
	}
	for name, tc := range map[string]struct {
		wrapped  string
		conf     map[string]any
		rejected int64
		dropped  int
	}{
		"gRPC":             {wrapped: "otlp_grpc", rejected: 2, dropped: 2},
		"HTTP":             {wrapped: "otlp_http", rejected: 2, dropped: 2},
		"HTTP with JSON":   {wrapped: "otlp_http", conf: map[string]any{"encoding": "json"}, rejected: 2, dropped: 2},
		"a warning":        {wrapped: "otlp_grpc", rejected: 0, dropped: 0},
		"more than sent":   {wrapped: "otlp_http", rejected: 1 << 62, dropped: 5},
		"less than naught": {wrapped: "otlp_grpc", rejected: -3, dropped: 0},
		"load balancing":   {wrapped: "load_balancing", rejected: 2, dropped: 2},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAnswering(t)
			away := func() {
				a.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
					func(context.Context) (pmetricotlp.ExportResponse, error) {
						return pmetricotlp.NewExportResponse(), status.Error(codes.Unavailable, "")
					})
			}
			partly := func() {
				a.set(func(w http.ResponseWriter, _ *http.Request) {
					body, err := answer(tc.rejected).MarshalProto()
					kind := "application/x-protobuf"
					if tc.conf["encoding"] == "json" {
						body, err = answer(tc.rejected).MarshalJSON()
						kind = "application/json"
					}
					assert.NoError(t, err)
					w.Header().Set("Content-Type", kind)
					_, _ = w.Write(body)
				}, func(context.Context) (pmetricotlp.ExportResponse, error) { return answer(tc.rejected), nil })
			}
			conf := a.exporters()[tc.wrapped]
			if tc.wrapped == "load_balancing" {
				conf = map[string]any{
					"protocol":    map[string]any{"otlp": map[string]any{"tls": map[string]any{"insecure": true}}},
					"routing_key": "resource",
					"resolver":    map[string]any{"static": map[string]any{"hostnames": []any{a.addr}}},
				}
			}
			for k, v := range tc.conf {
				conf[k] = v
			}
			g := startMetrics(t, tc.wrapped, conf)
			partly()
			require.NoError(t, g.metrics.ConsumeMetrics(context.Background(), makeMetrics("direct", 5)))
			assert.Equal(t, 1, a.asked())
			assert.EqualValues(t, 5-tc.dropped, g.sum("delivered_items", "path", "direct"))
			assert.EqualValues(t, tc.dropped, g.sum("dropped_items", "reason", "partial_success"))

			away()
			require.NoError(t, g.metrics.ConsumeMetrics(context.Background(), makeMetrics("replayed", 5)))
			partly()
			eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log drains")
			assert.Equal(t, 1, a.asked(), "once")
			assert.EqualValues(t, 5-tc.dropped, g.sum("delivered_items", "path", "replayed"))
			assert.EqualValues(t, 2*tc.dropped, g.sum("dropped_items", "reason", "partial_success"))
			assert.EqualValues(t, 10, g.sum("received_items"))
			assert.Zero(t, g.sum("dead_letter_items"))
		})
	}
}

// prometheus_remote_write returns nil if its context ends before it has sent anything. No server has the data then.
func TestNilOfACanceledAttemptIsNotBelieved(t *testing.T) {
	a := newAnswering(t)
	a.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }, nil)
	g := startMetrics(t, "prometheus_remote_write", a.exporters()["prometheus_remote_write"],
		map[string]any{"replay": map[string]any{"enabled": false}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	const batches = 50
	for range batches {
		require.NoError(t, g.metrics.ConsumeMetrics(ctx, makeMetrics("m", 1)))
	}
	assert.Zero(t, a.asked())
	assert.Zero(t, g.sum("delivered_items"))
	assert.EqualValues(t, batches, g.sum("logged_items", "reason", "canceled"))
}

// A batch that prometheus_remote_write cannot translate at all is not delivered, whatever the exporter returns.
func TestBatchThatIsNotSentGoesToTheDeadLetter(t *testing.T) {
	a := newAnswering(t)
	g := startMetrics(t, "prometheus_remote_write", a.exporters()["prometheus_remote_write"])
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("delta")
	m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	m.Sum().DataPoints().AppendEmpty().SetIntValue(1)
	require.NoError(t, g.metrics.ConsumeMetrics(context.Background(), md))
	assert.Zero(t, a.asked())
	assert.EqualValues(t, 1, g.sum("dead_letter_items", "reason", "permanent"))
	require.NoError(t, g.metrics.ConsumeMetrics(context.Background(), pmetric.NewMetrics()), "an empty batch needs no request")
	assert.EqualValues(t, 1, g.sum("dead_letter_items"))
}

// listening is a middleware of a user.
type listening struct {
	answers
	mu   sync.Mutex
	used int
}

func (l *listening) GetHTTPRoundTripper(ctx context.Context) (func(context.Context, http.RoundTripper) (http.RoundTripper, error), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used++
	return l.answers.GetHTTPRoundTripper(ctx)
}

// The user's own middlewares stay, and the answers middleware is in no configuration that is shown.
func TestMiddlewaresOfTheUserStay(t *testing.T) {
	withFactories(t)
	own := &listening{answers: answers{now: time.Now}}
	conf := map[string]any{"endpoint": "http://x:1", "middlewares": []any{map[string]any{"id": "mine"}}}
	spec := parseSpec(t, map[string]any{"otlp_http": conf})
	factory := wrappedFactory(newTestHost(), component.MustNewType("otlp_http"))
	cfg, err := spec.Config(factory, time.Second)
	require.NoError(t, err)
	require.True(t, addAnswers(cfg))
	host := wrappedHost{extensionHost{component.MustNewID("mine"): own}, answers{now: time.Now}}
	e, err := factory.CreateMetrics(context.Background(), exporterSettings(t, factory), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(context.Background(), host))
	require.NoError(t, e.Shutdown(context.Background()))
	assert.Equal(t, 1, own.used)

	shown := fmt.Sprint(spec.Redacted(factory))
	assert.Contains(t, shown, "mine")
	assert.NotContains(t, shown, answersID.String())
	assert.NotContains(t, host.Host.GetExtensions(), answersID, "the Collector's own extensions are as they were")
}

type extensionHost map[component.ID]component.Component

func (h extensionHost) GetExtensions() map[component.ID]component.Component { return h }
