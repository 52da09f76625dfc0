package e2e

import (
	"fmt"
	"testing"
)

// TestCleanedNamesInPrometheus: with name_cleaning, names and tag keys that Prometheus writes in the same way are one series on
// the page and over remote write. Reserved labels are renamed on both.
func TestCleanedNamesInPrometheus(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	p := startPrometheus(t, g.page)
	etsy := freeUDPAddress(t)
	g.withOverlay(fmt.Sprintf(`
receivers:
  metricsudp: {aggregation_interval: 1s, name_cleaning: prometheus}
  metricsudp/etsy: {endpoint: %q, temporality: cumulative, aggregation_interval: 1s, name_cleaning: etsy}
exporters:
  prometheus_remote_write:
    endpoint: http://%s/api/v1/write
    external_labels: {path: remote_write}
service:
  pipelines:
    metrics: {receivers: [metricsudp, metricsudp/etsy]}
    metrics/page: {exporters: [prometheus, prometheus_remote_write]}
`, etsy, p.address))
	startBackend(t, g.backend)
	g.start()

	g.sendDatagram(t, "a.b:1|c|#k.x:v\na_b:2|c|#k_x:v\na-b:4|c|#k-x:v")
	for _, label := range reservedLabels {
		g.sendDatagram(t, fmt.Sprintf("x:1|c|#%s:of the sender", label))
	}
	sendUDP(t, etsy, "page views/all!:1|c\npage_views-all:2|c")

	ctx := withTimeout(t)
	for _, path := range []string{`path=""`, `path="remote_write"`} {
		has := func(expression string, want float64) {
			t.Helper()
			eventually(t, fmt.Sprintf("%s is %v", expression, want), func() bool { return p.value(ctx, expression) == want })
		}
		has(`a_b_total{k_x="v",`+path+`}`, 7)
		has(`count(a_b_total{`+path+`})`, 1)
		has(`page_views_all_total{`+path+`}`, 3)
		for _, label := range reservedLabels {
			renamed := "exported_" + label
			if label == "__name__" {
				renamed = "key_name_" // cleaned, it is no longer reserved
			}
			has(fmt.Sprintf(`x_total{%s="of the sender",%s}`, renamed, path), 1)
		}
	}
	eventually(t, "cleaned lines are counted", func() bool {
		return g.own("otelcol_receiver_metricsudp_cleaned_lines_total", "receiver", "metricsudp") == 3 &&
			g.own("otelcol_receiver_metricsudp_cleaned_lines_total", "receiver", "metricsudp/etsy") == 1
	})
	g.stop()
}
