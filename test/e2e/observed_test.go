package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answers is a backend over HTTP. A test chooses its next answers.
type answers struct {
	status atomic.Int64
	pause  atomic.Int64 // time.Duration before each answer
	// The number of next requests that are answered 400; the others get the status.
	refuse atomic.Int64
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
		return
	case <-time.After(time.Duration(a.pause.Load())):
	}
	if a.refuse.Add(-1) >= 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(int(a.status.Load()))
}

// observed has a gateway with which every event of the alerts happens, another one that gives up data, and a Prometheus that
// scrapes both and evaluates the shipped rules.
type observed struct {
	t       *testing.T
	gateway *gateway
	loser   *gateway
	backend *answers
	tcp     string
	*prometheus
}

func newObserved(t *testing.T) *observed {
	o := &observed{t: t, backend: &answers{}, tcp: freeAddresses(t, 1)[0]}
	o.backend.status.Store(http.StatusOK)
	server := httptest.NewServer(o.backend)
	t.Cleanup(server.Close)
	o.gateway = newGateway(t, "production.yaml", fmt.Sprintf(`
receivers:
  metricsudp: {aggregation_interval: 1s, readers: 1, socket_buffer_size: 65536, buffer_size: 10}
  metricsudp/tcp: {endpoint: %q, transport: tcp, temporality: cumulative}
processors:
  cardinalitylimit:
    storage: file_storage
    instance_id: observed
    snapshot_interval: 1s
    tracker: {memory_limit_mib: 1}
exporters:
  fallbacklog/http:
    circuit_breaker: {open_interval: 200ms, max_open_interval: 200ms}
    retry_on_failure: {max_attempts: 1}
    log: {max_disk_mib: 8, max_segment_size_mib: 1}
extensions: {file_storage: {directory: %q, create_directory: true}}
service:
  extensions: [health_check, pprof, zpages, file_storage]
  pipelines: {metrics: {receivers: [metricsudp, metricsudp/tcp, otlp]}}
`, o.tcp, filepath.Join(t.TempDir(), "places")))
	for variable, value := range map[string]string{
		"OTLP_PROTOCOL": "http", "OTLP_ENDPOINT": server.URL, "OTLP_INSECURE": "true",
		"CARDINALITY_MAX_SERIES": "50", "CARDINALITY_ACTION": "overflow",
	} {
		o.gateway.env[variable] = value
	}
	o.loser = newGateway(t, "edge.yaml", `
exporters: {fallbacklog: {retry_on_failure: {max_attempts: 1}, log: {max_disk_mib: 1, max_segment_size_mib: 1}}}
`)

	limits := filepath.Join(t.TempDir(), "limits.yaml")
	require.NoError(t, os.WriteFile(limits, []byte(`
groups:
  - name: limits
    rules:
      - {record: "otelcol_custom:cpu_cores:limit", expr: vector(0.001)}
      - {record: "otelcol_custom:memory_bytes:limit", expr: vector(1)}
`), 0o600))
	rules := []string{limits}
	for _, name := range []string{"gateway", "cardinality", "fallbacklog"} {
		path, err := filepath.Abs("../../deploy/alerts/" + name + ".yaml")
		require.NoError(t, err)
		rules = append(rules, path)
	}
	files, err := json.Marshal(rules) // JSON is YAML
	require.NoError(t, err)
	o.prometheus = startPrometheusWith(t, fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: %s
scrape_configs:
  - job_name: otelcol-custom
    static_configs: [{targets: [%q, %q]}]
`, files, o.gateway.telemetry, o.loser.telemetry))
	return o
}

// awaitAlert waits until an alert is pending or fires. The times in "for" of most alerts are too long for a test.
func (o *observed) awaitAlert(name string) {
	o.t.Helper()
	eventually(o.t, name, func() bool { return len(o.query(withTimeout(o.t), fmt.Sprintf("ALERTS{alertname=%q}", name))) > 0 })
}

// TestObserved: every alert detects its event in a real Prometheus that scrapes real gateways, and every panel of the
// dashboards has data. promtool tests the other properties of the rules: the times, and when they must not fire.
func TestObserved(t *testing.T) {
	o := newObserved(t)
	o.gateway.start()
	o.loser.start()

	// The first exports are slow, so the mean in the alert is theirs.
	o.backend.pause.Store(int64(1500 * time.Millisecond))
	for range 2 {
		require.Equal(t, http.StatusOK, o.gateway.post(t, "/v1/logs", logsOf(1)))
		o.scraped(`otelcol_exporter_fallbacklog_export_latency_seconds{signal="logs"} > 1.4`)
	}
	o.awaitAlert("GatewayExportLatency")
	// The pipeline waits for the backend, and the buffer for timestamped points is full.
	for i := range 100 {
		o.gateway.sendDatagram(t, fmt.Sprintf("stamped:1|g|T%d\nstamped.%d:1|g|T%d\n", time.Now().Unix()-int64(i), i, time.Now().Unix()))
	}
	o.awaitAlert("GatewayBufferDrops")
	o.backend.pause.Store(0)

	o.load()
	for _, alert := range []string{"CardinalityLimitReached", "CardinalityMemory", "GatewayCPU", "GatewayMemory"} {
		o.awaitAlert(alert)
	}
	o.floodWhileStopped()
	o.awaitAlert("GatewayKernelDrops")

	o.backend.refuse.Store(1)
	require.Equal(t, http.StatusOK, o.gateway.post(t, "/v1/logs", logsOf(1)))
	o.awaitAlert("FallbacklogDeadLetter")

	o.outage()
	o.loss()
	o.checkPanels()

	o.gateway.kill()
	o.awaitAlert("GatewayDown")
	o.checkAlerts()
}

// scraped waits until Prometheus has a result for an expression.
func (o *observed) scraped(expression string) {
	o.t.Helper()
	eventually(o.t, expression, func() bool { return len(o.query(withTimeout(o.t), expression)) > 0 })
}

// load sends every signal over every listener, more series than the limits allow, and invalid requests.
func (o *observed) load() {
	t, g := o.t, o.gateway
	g.drive(t, 200, 10, 2000, 3*time.Second)
	newSender(t, g.grpc).sendAll(t, 600)
	require.Equal(t, http.StatusBadRequest, g.post(t, "/v1/metrics", "no JSON"))
	require.Equal(t, http.StatusOK, g.post(t, "/v1/metrics", fmt.Sprintf(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"big",
		"gauge":{"dataPoints":[{"asInt":"1","timeUnixNano":"%d","attributes":[{"key":"k","value":{"stringValue":%q}}]}]}}]}]}]}`,
		time.Now().UnixNano(), strings.Repeat("x", 100_000))))
	conn, err := net.Dial("tcp", o.tcp)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("over.tcp:1|c\n"))
	require.NoError(t, err)
	floodUDP(t, g, 0)
}

// floodWhileStopped fills the receive buffer of a gateway that does not read.
func (o *observed) floodWhileStopped() {
	require.NoError(o.t, o.gateway.cmd.Process.Signal(syscall.SIGSTOP))
	for range 2000 {
		o.gateway.sendDatagram(o.t, strings.Repeat("x:1|c\n", 100))
	}
	require.NoError(o.t, o.gateway.cmd.Process.Signal(syscall.SIGCONT))
}

// outage lasts until the log is full and senders are refused. Then the backend returns, and the log drains.
func (o *observed) outage() {
	o.backend.status.Store(http.StatusServiceUnavailable)
	refused := func() bool {
		return o.gateway.post(o.t, "/v1/logs", logsOf(20_000)) != http.StatusOK
	}
	eventually(o.t, "the log is full", refused)
	for _, alert := range []string{"FallbacklogOutage", "FallbacklogFullIn12Hours", "FallbacklogFullIn4Hours"} {
		o.awaitAlert(alert)
	}
	eventually(o.t, "GatewayDataRefused", func() bool {
		refused()
		return len(o.query(withTimeout(o.t), `ALERTS{alertname="GatewayDataRefused"}`)) > 0
	})
	o.awaitAlert("FallbacklogSendersRefused")
	o.awaitAlert("FallbacklogLogDegraded")
	o.backend.status.Store(http.StatusOK)
	eventually(o.t, "the log is drained", func() bool { return o.gateway.own("otelcol_exporter_fallbacklog_bytes_on_disk") == 0 })
}

// loss makes the other gateway, which has no backend, drop old data, find damage, and delete expired data.
func (o *observed) loss() {
	t, g := o.t, o.loser
	for i := 0; g.own("otelcol_exporter_fallbacklog_dropped_items_total") == 0; i++ {
		require.Less(t, i, 10_000)
		require.Equal(t, http.StatusOK, g.post(t, "/v1/metrics", gaugesOf(2000)))
	}
	o.awaitAlert("FallbacklogDataLost")
	g.stop()
	for _, segment := range segmentsOf(t, g.log, "*.jsonl") {
		content, err := os.ReadFile(segment)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(segment, append(content[:len(content)/2], '\n'), 0o600))
	}
	g.start()
	o.awaitAlert("FallbacklogLogDamaged")
	g.stop()
	g.withOverlay(`exporters: {fallbacklog: {log: {max_age: 1s, max_segment_age: 1s}}}`)
	g.start()
	require.Equal(t, http.StatusOK, g.post(t, "/v1/metrics", gaugesOf(1)))
	o.awaitAlert("FallbacklogDataExpired")
}

// gaugesOf returns an OTLP request of n points of one metric with different host names.
func gaugesOf(n int) string {
	points := make([]string, n)
	for i := range points {
		points[i] = fmt.Sprintf(`{"asInt":"1","timeUnixNano":"%d","attributes":[{"key":"host","value":{"stringValue":"%d"}}]}`, time.Now().UnixNano(), i)
	}
	return `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"load","gauge":{"dataPoints":[` + strings.Join(points, ",") + `]}}]}]}]}`
}

// unprovoked are metrics that no event of TestObserved changes. Each has the name of a component's test that changes it.
var unprovoked = map[string]string{
	"otelcol_processor_bucketing_violations_total":               "processor/bucketing/internal/convert/TestStatefulStreams",
	"otelcol_processor_cardinalitylimit_snapshot_failures_total": "processor/cardinalitylimit/TestStorageFailsAtRunTime",
	"otelcol_processor_cardinalitylimit_cluster_losses_total":    "TestCluster",
	"otelcol_processor_cardinalitylimit_cluster_state":           "TestCluster",
}

var metricName = regexp.MustCompile(`\b(?:otelcol_[a-z0-9_:]+|(?:http|rpc)_server_[a-z_]+|up|target_info)\b`)

// checkNames asserts that every metric of an expression was scraped or recorded.
func (o *observed) checkNames(where, expression string, scraped map[string]bool) {
	for _, name := range metricName.FindAllString(expression, -1) {
		if unprovoked[name] == "" {
			assert.True(o.t, scraped[name], "%s asks for %s, which no gateway has", where, name)
		}
	}
}

func (o *observed) scrapedNames(ctx context.Context) map[string]bool {
	names := map[string]bool{}
	for _, s := range o.query(ctx, `count by (__name__) (last_over_time({__name__=~".+"}[10m]))`) {
		names[s.labels["__name__"]] = true
	}
	return names
}

// checkPanels evaluates every query of every dashboard like Grafana.
func (o *observed) checkPanels() {
	ctx := withTimeout(o.t)
	names := o.scrapedNames(ctx)
	o.checkSelfTelemetryPage(o.t, names)
	files, err := filepath.Glob("../../deploy/grafana/*.json")
	require.NoError(o.t, err)
	queries := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(o.t, err)
		var dashboard struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		require.NoError(o.t, json.Unmarshal(content, &dashboard))
		for _, panel := range dashboard.Panels {
			for _, target := range panel.Targets {
				queries++
				where := filepath.Base(file) + ", " + panel.Title
				o.checkNames(where, target.Expr, names)
				expression := strings.NewReplacer("$instance", ".*", "$__rate_interval", "5m").Replace(target.Expr)
				assert.NotEmpty(o.t, o.query(ctx, expression), "%s: %s", where, expression)
			}
		}
	}
	assert.Greater(o.t, queries, 80)
}

// unseen are alerts that no event of this test raises. promtool tests that they fire.
var unseen = map[string]string{
	"FallbacklogSignalWaits": "records must wait for 15 minutes",
	"GatewayDataFailed":      "needs a component that refuses data for good; fallbacklog writes such data to the dead letter",
	"CardinalityStateLost":   "a file system that fails: see the tests of the processor",

	"CardinalityClusterAlone":  "needs a store of places: see TestCluster",
	"CardinalityClusterLosses": "needs a store of places: see TestCluster",
}

// checkAlerts asserts that every alert was pending or fired, and uses metrics that exist.
func (o *observed) checkAlerts() {
	ctx := withTimeout(o.t)
	names, seen := o.scrapedNames(ctx), map[string]bool{}
	for _, s := range o.query(ctx, `count by (alertname) (last_over_time(ALERTS[10m]))`) {
		seen[s.labels["alertname"]] = true
	}
	files, err := filepath.Glob("../../deploy/alerts/*.yaml")
	require.NoError(o.t, err)
	alerts := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(o.t, err)
		for _, group := range parseYAML(o.t, content).Get("groups").([]any) {
			for _, r := range group.(map[string]any)["rules"].([]any) {
				rule := r.(map[string]any)
				name, isAlert := rule["alert"].(string)
				if !isAlert {
					continue
				}
				alerts++
				o.checkNames(name, rule["expr"].(string), names)
				assert.Equal(o.t, unseen[name] == "", seen[name], name)
			}
		}
	}
	assert.Greater(o.t, alerts, 15)
}
