package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logsOf returns an OTLP request of n log records.
func logsOf(n int) string {
	return `{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + strings.TrimSuffix(strings.Repeat(`{"body":{"stringValue":"x"}},`, n), ",") + `]}]}]}`
}

func (g *gateway) post(t *testing.T, path, content string) int {
	t.Helper()
	response, err := http.Post("http://"+g.http+path, "application/json", strings.NewReader(content))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// TestProduction: a backend with TLS and an API key gets all data, in batches of 512 items, and a metric has at most 1,000
// series. The gateway logs JSON.
func TestProduction(t *testing.T) {
	a := newAuthority(t)
	g := newGateway(t, "production.yaml", `receivers: {metricsudp: {aggregation_interval: 1s}}`)
	r := startRecorder(t, g.backend, a.serverTLS(tls.NoClientCert))
	g.env["OTLP_ENDPOINT"], g.env["OTLP_CA_FILE"], g.env["OTLP_API_KEY"] = "https://"+g.backend, a.file, "k3y"
	g.start()

	for size, want := range map[int][]int{
		1: {1}, 100: {100}, 512: {512}, 1000: {488, 512}, 2000: {464, 512, 512, 512},
	} {
		before := len(r.logBatches())
		require.Equal(t, http.StatusOK, g.post(t, "/v1/logs", logsOf(size)))
		got := slices.Sorted(slices.Values(r.logBatches()[before:]))
		assert.Equal(t, want, got, "a request of %d", size)
	}
	assert.Equal(t, []string{"k3y"}, r.header("api-key"))

	points := make([]string, 1200)
	for i := range points {
		points[i] = fmt.Sprintf(`{"asInt":"1","timeUnixNano":"1000000000","attributes":[{"key":"n","value":{"intValue":"%d"}}]}`, i)
	}
	postOTLP(t, g, `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"wide","gauge":{"dataPoints":[`+strings.Join(points, ",")+`]}}]}]}]}`)
	// The last fifth of the places is for series that continue.
	assert.GreaterOrEqual(t, r.points()["wide"], 800)
	assert.LessOrEqual(t, r.points()["wide"], 1000)
	assert.InDelta(t, 1200-r.points()["wide"], g.own("otelcol_processor_cardinalitylimit_points_total", "action", "drop"), 0)
	g.sendDatagram(t, "hits:1|c")
	eventually(t, "the line arrives", func() bool { return r.points()["hits"] > 0 })

	for line := range strings.Lines(g.output.String()) {
		if strings.TrimSpace(line) != "" {
			assert.True(t, json.Valid([]byte(line)), "%s", line)
		}
	}
	g.stop()
}

// TestExplodingLabelsAreRemoved: the shipped gateways remove labels with a value per user from HTTP metrics, and the sum stays
// the same. Other metrics keep these labels.
func TestExplodingLabelsAreRemoved(t *testing.T) {
	for _, file := range []string{"production.yaml", "gateway.yaml"} {
		t.Run(file, func(t *testing.T) {
			g := newGateway(t, file, `processors: {cardinalitylimit: {reaggregate: {flush_interval: 200ms}}}`)
			var r *recorder
			if file == "production.yaml" {
				a := newAuthority(t)
				r = startRecorder(t, g.backend, a.serverTLS(tls.NoClientCert))
				g.env["OTLP_ENDPOINT"], g.env["OTLP_CA_FILE"], g.env["OTLP_API_KEY"] = "https://"+g.backend, a.file, "k3y"
			} else {
				r = startRecorder(t, g.backend)
			}
			g.start()
			for _, name := range []string{"http.server.errors", "orders"} {
				points := make([]string, 300)
				for i := range points {
					points[i] = fmt.Sprintf(`{"asInt":"2","startTimeUnixNano":"1000000000","timeUnixNano":"2000000000","attributes":[
						{"key":"user.id","value":{"stringValue":"u-%d"}},{"key":"http.route","value":{"stringValue":"/r%d"}}]}`, i, i%3)
				}
				postOTLP(t, g, fmt.Sprintf(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":%q,"sum":{"aggregationTemporality":1,
					"isMonotonic":true,"dataPoints":[%s]}}]}]}]}`, name, strings.Join(points, ",")))
			}
			eventually(t, "all is counted", func() bool {
				return r.counterSums()["http.server.errors"] == 600 && r.counterSums()["orders"] == 600
			})
			assert.Equal(t, 3, r.points()["http.server.errors"], "one point for each route")
			assert.Equal(t, 300, r.points()["orders"])
			g.stop()
		})
	}
}

// TestProductionOverHTTP: OTLP_PROTOCOL chooses the exporter.
func TestProductionOverHTTP(t *testing.T) {
	a := newAuthority(t)
	var requests atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/v1/logs" && request.Header.Get("api-key") == "k3y" {
			requests.Add(1)
		}
	}))
	server.TLS = a.serverTLS(tls.NoClientCert)
	server.StartTLS()
	defer server.Close()
	g := newGateway(t, "production.yaml")
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	g.env["OTLP_PROTOCOL"], g.env["OTLP_ENDPOINT"], g.env["OTLP_CA_FILE"], g.env["OTLP_API_KEY"] = "http", "https://"+at.Host, a.file, "k3y"
	g.start()
	require.Equal(t, http.StatusOK, g.post(t, "/v1/logs", logsOf(1)))
	assert.Equal(t, int64(1), requests.Load())
	g.stop()
}

// TestProductionDefaults: every value that the environment can set has its documented default, and an invalid one is refused.
func TestProductionDefaults(t *testing.T) {
	g := newGateway(t, "production.yaml")
	cmd := g.command("print-config")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	at := parseYAML(t, output)
	for key, want := range map[string]any{
		"exporters::fallbacklog/grpc::timeout":                                                   "10s",
		"exporters::fallbacklog/grpc::retry_on_failure::max_attempts":                            5,
		"exporters::fallbacklog/grpc::sending_queue::batch::max_size":                            512,
		"exporters::fallbacklog/grpc::sending_queue::queue_size":                                 2048,
		"exporters::fallbacklog/grpc::sending_queue::num_consumers":                              8,
		"receivers::metricsudp::buffer_size":                                                     10000,
		"receivers::otlp::protocols::grpc::max_concurrent_streams":                               1000,
		"receivers::otlp::protocols::grpc::keepalive::server_parameters::time":                   "30s",
		"receivers::otlp::protocols::grpc::keepalive::server_parameters::timeout":                "5s",
		"receivers::otlp::protocols::grpc::keepalive::enforcement_policy::permit_without_stream": true,
		"receivers::otlp::protocols::http::idle_timeout":                                         "1m30s",
		"receivers::otlp::protocols::http::write_timeout":                                        "30s",
		"exporters::fallbacklog/http::exporter::otlp_http::max_idle_conns_per_host":              10,
	} {
		assert.EqualValues(t, want, at.Get(key), key)
	}
	for variable, want := range map[string]string{
		"OTLP_MAX_RETRIES": "max_attempts", "OTLP_BATCH_SIZE": "_size", "METRICS_BUFFER_SIZE": "buffer_size", "OTLP_TIMEOUT": "timeout",
	} {
		g := newGateway(t, "production.yaml")
		g.env[variable] = "-1"
		output, err := g.command("validate").CombinedOutput()
		require.Error(t, err, variable)
		assert.Contains(t, string(output), want)
	}
}
