package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGatewayPage: quickstart and development have the page, and log its address once. The page knows the residual of every
// route, also after the fork.
func TestGatewayPage(t *testing.T) {
	for _, file := range []string{"quickstart.yaml", "development.yaml"} {
		t.Run(file, func(t *testing.T) {
			g := newGateway(t, file)
			startBackend(t, g.backend)
			g.start()
			address := g.env["GATEWAYPAGE_ENDPOINT"]
			var state struct {
				Verdict struct {
					Level, Text string
					Ready       bool
					Unknown     []string
				}
				Routes []struct {
					Signal, Exporter string
					In               *struct{ Items int64 }
					Sent             struct{ Items int64 }
					Residual         *int64
				}
			}
			g.sendDatagram(t, "requests:1|c")
			eventually(t, "the page knows what reached the Prometheus page", func() bool {
				status, body := askPage(t, "http://"+address+"/api/v1/state", "")
				if status != http.StatusOK || json.Unmarshal(body, &state) != nil || len(state.Verdict.Unknown) > 0 {
					return false
				}
				for _, r := range state.Routes {
					if r.Signal == "metrics" && r.Exporter == "prometheus" {
						return r.In != nil && r.Residual != nil && r.In.Items > 0 && r.Sent.Items == r.In.Items && *r.Residual == 0
					}
				}
				return false
			})
			for _, r := range state.Routes {
				assert.NotNil(t, r.Residual, "%s to %s", r.Signal, r.Exporter)
			}
			assert.Equal(t, "ok", state.Verdict.Level, state.Verdict.Text)
			assert.True(t, state.Verdict.Ready)
			status, _ := askPage(t, "http://"+g.env["PROBES_ENDPOINT"]+"/readyz", "")
			assert.Equal(t, http.StatusOK, status)
			g.stop()
			assert.Equal(t, 1, strings.Count(g.output.String(), "Gateway page: http://"+address))
		})
	}
}

// TestGatewayPageEqualsMetrics: the values that the components publish to the page equal their metrics.
func TestGatewayPageEqualsMetrics(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", `
receivers: {metricsudp: {temporality: delta, aggregation_interval: 1s}}
processors: {cardinalitylimit: {reaggregate: {flush_interval: 1s}, limits: [{name: metric, key: [metric.name], max_series: 100}]}}
`)
	startBackend(t, g.backend)
	g.start()
	for i := range 300 {
		g.sendDatagram(t, fmt.Sprintf("requests:1|c|#id:%d\ntook:%d|ms|#route:%d\nbroken", i, i, i%7))
	}
	type counts = map[string]float64
	var state struct {
		Components []struct {
			Component string
			Limiter   *struct {
				Points counts
				Limits []struct {
					Name                        string
					Series, Keys, Near, Refused float64
				}
				MemoryBytes float64 `json:"memory_bytes"`
			}
			Log *struct {
				Signals []struct {
					Signal string
					Items  counts
				}
			}
			UDP *struct {
				Datagrams, Bytes, Lines, Series float64
				KernelDrops                     float64 `json:"kernel_drops"`
				Rejected                        []struct {
					Reason string
					Items  float64
				}
			}
			Buckets *counts
		}
	}
	compared := 0
	var differs string
	equal := func(name string, shown float64, metric string, labels ...string) {
		compared++
		if got := g.own(metric, labels...); got != shown {
			differs += fmt.Sprintf("%s: page %v, metric %v\n", name, shown, got)
		}
	}
	eventually(t, "page and metrics agree", func() bool {
		compared, differs = 0, ""
		_, body := askPage(t, "http://"+g.env["GATEWAYPAGE_ENDPOINT"]+"/api/v1/state", "")
		require.NoError(t, json.Unmarshal(body, &state))
		for _, c := range state.Components {
			switch {
			case c.Limiter != nil:
				for action, field := range map[string]string{"pass": "passed", "overflow": "overflowed", "drop": "dropped", "tag": "tagged", "strip": "stripped"} {
					equal(field, c.Limiter.Points[field], "otelcol_processor_cardinalitylimit_points_total", "action", action, "mode", "enforce")
				}
				equal("emitted", c.Limiter.Points["emitted"], "otelcol_processor_cardinalitylimit_emitted_points_total")
				for _, l := range c.Limiter.Limits {
					equal("series", l.Series, "otelcol_processor_cardinalitylimit_series", "limit", l.Name)
					equal("keys", l.Keys, "otelcol_processor_cardinalitylimit_keys", "limit", l.Name)
					equal("near", l.Near, "otelcol_processor_cardinalitylimit_keys_near_limit", "limit", l.Name)
					equal("refused", l.Refused, "otelcol_processor_cardinalitylimit_rejected_series_estimate", "limit", l.Name)
				}
				equal("memory", c.Limiter.MemoryBytes, "otelcol_processor_cardinalitylimit_tracker_bytes")
			case c.Log != nil:
				for _, s := range c.Log.Signals {
					equal("received", s.Items["received"], "otelcol_exporter_fallbacklog_received_items_total", "signal", s.Signal)
					equal("direct", s.Items["delivered_direct"], "otelcol_exporter_fallbacklog_delivered_items_total", "signal", s.Signal, "path", "direct")
					equal("logged", s.Items["logged"], "otelcol_exporter_fallbacklog_logged_items_total", "signal", s.Signal)
					equal("rejected", s.Items["rejected"], "otelcol_exporter_fallbacklog_rejected_items_total", "signal", s.Signal)
				}
			case c.UDP != nil:
				equal("datagrams", c.UDP.Datagrams, "otelcol_receiver_metricsudp_datagrams_total")
				equal("bytes", c.UDP.Bytes, "otelcol_receiver_metricsudp_bytes_total")
				equal("lines", c.UDP.Lines, "otelcol_receiver_metricsudp_lines_total")
				equal("kernel drops", c.UDP.KernelDrops, "otelcol_receiver_metricsudp_kernel_drops_total")
				equal("series", c.UDP.Series, "otelcol_receiver_metricsudp_series")
				for _, r := range c.UDP.Rejected {
					equal("rejected", r.Items, "otelcol_receiver_metricsudp_rejected_lines_total", "reason", r.Reason)
				}
			case c.Buckets != nil:
				equal("converted", (*c.Buckets)["converted"], "otelcol_processor_bucketing_points_total")
				equal("dropped", (*c.Buckets)["dropped"], "otelcol_processor_bucketing_dropped_points_total")
			}
		}
		return differs == "" && compared > 25 && g.own("otelcol_receiver_metricsudp_datagrams_total") == 300
	})
	assert.Empty(t, differs)
	t.Logf("%d numbers agree", compared)
	g.stop()
}

// TestGatewayPageBehindAToken: the overlay of the image needs a token, from the operator and from viewers.
func TestGatewayPageBehindAToken(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	g.configs = append(g.configs, config("overlays/gatewaypage.yaml"))
	output := g.fails(t)
	assert.Contains(t, output, "bearertokenauth")

	g.env["GATEWAYPAGE_TOKEN"] = "right"
	g.start()
	url := "http://" + g.env["GATEWAYPAGE_ENDPOINT"]
	for token, want := range map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, "right": http.StatusOK} {
		for _, path := range []string{"state", "history", "text", "bundle"} {
			status, body := askPage(t, url+"/api/v1/"+path, token)
			assert.Equal(t, want, status, path)
			assert.NotContains(t, string(body), `"right"`)
		}
	}
	status, _ := askPage(t, url+"/", "")
	assert.Equal(t, http.StatusOK, status)
	status, _ = askPage(t, "http://"+g.env["PROBES_ENDPOINT"]+"/readyz", "")
	assert.Equal(t, http.StatusOK, status)
	g.stop()
	assert.NotContains(t, g.output.String(), `"right"`)
}

func askPage(t *testing.T, url, token string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, body
}
