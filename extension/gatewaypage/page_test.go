package gatewaypage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/report"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

func newTestPage(t *testing.T, cfg *Config) *page {
	t.Helper()
	p, err := newPage(extensiontest.NewNopSettings(metadata.Type), cfg, origin{now: time.Now, processStart: time.Now()})
	require.NoError(t, err)
	return p
}

// host is one with extensions.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func hostOf(extensions map[component.ID]component.Component) host {
	return host{componenttest.NewNopHost(), extensions}
}

// doorkeeper is an authenticator that accepts one token.
type doorkeeper struct {
	component.StartFunc
	component.ShutdownFunc
	token string
}

var errToken = errors.New("the secret reason")

func (d doorkeeper) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	if values := sources["Authorization"]; len(values) == 1 && values[0] == "Bearer "+d.token {
		return ctx, nil
	}
	return nil, errToken
}

// started runs a page until the test's end.
func started(t *testing.T, cfg *Config, h component.Host) *page {
	t.Helper()
	p := newTestPage(t, cfg)
	require.NoError(t, p.Start(t.Context(), h))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	require.NoError(t, p.Ready())
	return p
}

func localConfig() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.NetAddr.Endpoint = "localhost:0"
	cfg.Instance = "gateway-0"
	return cfg
}

type reply struct {
	status int
	header http.Header
	body   string
}

func ask(t *testing.T, url string, change ...func(*http.Request)) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	for _, c := range change {
		c(request)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header, string(body)}
}

func withHost(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func withToken(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func stateOf(t *testing.T, p *page) report.Report {
	t.Helper()
	r := ask(t, p.url+"/api/v1/state")
	require.Equal(t, http.StatusOK, r.status)
	var state report.Report
	require.NoError(t, json.Unmarshal([]byte(r.body), &state))
	return state
}

func TestThePageWhileNothingIsConfigured(t *testing.T) {
	p := started(t, localConfig(), componenttest.NewNopHost())
	state := stateOf(t, p)
	require.Equal(t, report.LevelOK, state.Verdict.Level)
	require.Equal(t, "No component publishes its state.", state.Verdict.Text)
	require.Contains(t, state.Verdict.Unknown[0], "self_metrics is not set")
	require.Equal(t, "gateway-0", state.Instance.Name)
	require.Nil(t, state.Residual)
	text := ask(t, p.url+"/api/v1/text")
	require.Contains(t, text.body, "NOT KNOWN  self_metrics is not set")
	require.Equal(t, "text/plain; charset=utf-8", text.header.Get("Content-Type"))
	history := ask(t, p.url+"/api/v1/history")
	require.True(t, json.Valid([]byte(history.body)))
}

func TestAnAuthenticatorThatDoesNotExistIsRefused(t *testing.T) {
	cfg, err := configOf(t, "{endpoint: 'localhost:0', auth: {authenticator: nobody}}")
	require.NoError(t, err)
	p := newTestPage(t, cfg)
	require.ErrorContains(t, p.Start(t.Context(), componenttest.NewNopHost()), "nobody")
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestAnAddressInUseIsRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer listener.Close()
	cfg := localConfig()
	cfg.NetAddr.Endpoint = listener.Addr().String()
	require.ErrorContains(t, newTestPage(t, cfg).Start(t.Context(), componenttest.NewNopHost()), "endpoint: ")
	cfg = localConfig()
	cfg.Probes.Endpoint = listener.Addr().String()
	p := newTestPage(t, cfg)
	require.ErrorContains(t, p.Start(t.Context(), componenttest.NewNopHost()), "probes::endpoint: ")
	require.NoError(t, p.Shutdown(t.Context()))
}

// fallback publishes a log.
type fallback struct {
	mu  sync.Mutex
	log gatewaystate.Log
}

func (f *fallback) GatewayState() gatewaystate.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.log
	return gatewaystate.State{Component: "fallbacklog", Log: &l}
}

func (f *fallback) set(l gatewaystate.Log) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = l
}

func TestProbesAreReadyWhileDataIsSafe(t *testing.T) {
	cfg, err := configOf(t, "{endpoint: 'localhost:0', auth: {authenticator: door}, probes: {endpoint: 'localhost:0'}}")
	require.NoError(t, err)
	p := newTestPage(t, cfg)
	source := &fallback{log: gatewaystate.Log{Breaker: "closed"}}
	p.Register(source)
	require.NoError(t, p.Start(t.Context(), hostOf(map[component.ID]component.Component{component.MustNewID("door"): doorkeeper{token: "right"}})))
	defer func() { require.NoError(t, p.Shutdown(context.Background())) }()
	probe := func(path string) int { return ask(t, "http://"+p.probes+path, withHost("10.1.2.3:13134")).status }

	require.Equal(t, http.StatusOK, probe("/livez"))
	require.Equal(t, http.StatusServiceUnavailable, probe("/readyz"))
	require.NoError(t, p.Ready())
	require.Equal(t, http.StatusOK, probe("/readyz"))
	require.Equal(t, http.StatusNotFound, probe("/api/v1/state"))

	since := time.Now()
	source.set(gatewaystate.Log{Breaker: "open", Since: &since, Exporter: "otlp_grpc"}) // falling back
	require.Eventually(t, func() bool { return strings.Contains(p.answer.Load().report.Verdict.Text, "down") }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, http.StatusOK, probe("/readyz"))
	source.set(gatewaystate.Log{Breaker: "open", Since: &since, Exporter: "otlp_grpc", Refuses: "the log is full"})
	harness.Eventually(t, func() bool { return probe("/readyz") == http.StatusServiceUnavailable }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, http.StatusOK, probe("/livez"))
	require.NotContains(t, ask(t, "http://"+p.probes+"/readyz").body, "log is full") // for those who have the token
	source.set(gatewaystate.Log{Breaker: "closed"})
	harness.Eventually(t, func() bool { return probe("/readyz") == http.StatusOK }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, p.NotReady())
	require.Equal(t, http.StatusServiceUnavailable, probe("/readyz"))
}

func TestTheLogNamesThePageOnce(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	set := extensiontest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	p, err := newPage(set, localConfig(), origin{now: time.Now, processStart: time.Now()})
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.Empty(t, logs.All())
	require.NoError(t, p.Ready())
	require.Len(t, logs.All(), 1)
	require.Regexp(t, `^Gateway page: http://localhost:\d+$`, logs.All()[0].Message)
	require.NoError(t, p.NotReady())
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Shutdown(t.Context()))
	require.Len(t, logs.All(), 1)
}

func TestSelfMetricsThatCannotBeReadAreSaid(t *testing.T) {
	var broken sync.Mutex
	answer := "otelcol_process_memory_rss_bytes 5\n"
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		broken.Lock()
		defer broken.Unlock()
		_, _ = io.WriteString(w, answer)
	}))
	defer own.Close()
	cfg := localConfig()
	cfg.SelfMetrics = own.URL
	p := started(t, cfg, componenttest.NewNopHost())
	state := stateOf(t, p)
	require.EqualValues(t, 5, state.Instance.MemoryBytes)
	require.Empty(t, state.Verdict.Unknown)
	broken.Lock()
	answer = "otelcol_process_memory_rss_bytes{"
	broken.Unlock()
	harness.Eventually(t, func() bool { return len(stateOf(t, p).Verdict.Unknown) == 1 }, 10*time.Second, 50*time.Millisecond)
	require.Contains(t, stateOf(t, p).Changes[0].Text, "self_metrics cannot be read")
	broken.Lock()
	answer = ""
	broken.Unlock()
	harness.Eventually(t, func() bool { return len(stateOf(t, p).Verdict.Unknown) == 0 }, 10*time.Second, 50*time.Millisecond)
	require.Contains(t, stateOf(t, p).Changes[0].Text, "can be read again")
}

// The answer is bounded, whatever names the senders choose.
func TestAnswersAreBounded(t *testing.T) {
	r := &report.Report{}
	for i := range 2000 {
		o := report.Offender{Offender: gatewaystate.Offender{Metric: fmt.Sprint(i, strings.Repeat("<", 128)), Key: strings.Repeat("\u2028", 40)}}
		for range 16 {
			o.Labels = append(o.Labels, gatewaystate.Label{Name: strings.Repeat("\"", 128), Examples: []string{strings.Repeat("&", 60)}})
		}
		r.Offenders = append(r.Offenders, o)
	}
	a := &answer{report: r}
	require.LessOrEqual(t, len(a.encoded()), maxReply)
	require.LessOrEqual(t, len(a.plain()), maxReply)
	var back report.Report
	require.NoError(t, json.Unmarshal(a.encoded(), &back))
	require.Equal(t, 2000, len(back.Offenders)+back.LeftOff)
	require.NotEmpty(t, back.Offenders)

	h := gatewaystate.NewHistory(time.Unix(0, 0))
	for step := range 720 {
		for i := range gatewaystate.MaxSeries {
			h.Add(time.Unix(int64(step)*5, 0), fmt.Sprint(i, strings.Repeat("\u2028", 80)), -1.2345e-30)
		}
	}
	content := encodedHistory(h)
	require.LessOrEqual(t, len(content), maxReply)
	var history struct {
		Series  []struct{ Values []*float64 }
		LeftOff int `json:"left_off"`
	}
	require.NoError(t, json.Unmarshal(content, &history))
	require.Equal(t, gatewaystate.MaxSeries, len(history.Series)+history.LeftOff)
}

// A page that begins again in one process follows a reload, however young the process is.
func TestAPageThatBeginsAgainWasReloaded(t *testing.T) {
	set := extensiontest.NewNopSettings(metadata.Type)
	set.ID = component.MustNewIDWithName("gatewaypage", "twice")
	var last extension.Extension
	for range 2 {
		var err error
		last, err = NewFactory().Create(t.Context(), set, localConfig()) // a reload makes the factories anew
		require.NoError(t, err)
	}
	p := last.(*page)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, p.Shutdown(context.Background())) }()
	require.True(t, stateOf(t, p).Instance.Reloaded)
}
