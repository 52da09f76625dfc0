package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	pageEntry = regexp.MustCompile("(?m)^- `(otelcol_[a-z0-9_]+)(?:\\{[^}`]*\\})?`( \\(histogram\\))?: ")
	pageName  = regexp.MustCompile(`otelcol_[a-z0-9_]+`)
)

// eventPrefix is the prefix of the metrics of a store that several gateways share.
const eventPrefix = "otelcol_processor_cardinalitylimit_cluster_"

// eventNames are listed on the page and appear only after an event that this test does not cause.
var eventNames = []string{
	"otelcol_exporter_fallbacklog_damage_total",
	"otelcol_exporter_fallbacklog_fsync_duration_seconds",
	"otelcol_exporter_fallbacklog_replay_failures_total",
	"otelcol_exporter_fallbacklog_seconds_to_drained",
	"otelcol_exporter_fallbacklog_seconds_to_full",
	"otelcol_processor_bucketing_open_end_counts_total",
	"otelcol_processor_bucketing_repaired_points_total",
	"otelcol_processor_bucketing_streams",
	"otelcol_processor_bucketing_violations_total",
	"otelcol_processor_cardinalitylimit_dropped_exemplars_total",
	"otelcol_processor_cardinalitylimit_empty_starts_total",
	"otelcol_processor_cardinalitylimit_rebucketed_points_total",
	"otelcol_processor_cardinalitylimit_refused_streams_total",
	"otelcol_processor_cardinalitylimit_saturated_points_total",
	"otelcol_processor_cardinalitylimit_shared_key_checks_total",
	"otelcol_processor_cardinalitylimit_snapshot_age_seconds",
	"otelcol_processor_cardinalitylimit_snapshot_failures_total",
	"otelcol_processor_cardinalitylimit_unbaselined_points_total",
	"otelcol_receiver_metricsudp_connection_waits_total",
	"otelcol_receiver_metricsudp_connections",
	"otelcol_receiver_metricsudp_dropped_events_total",
	"otelcol_receiver_metricsudp_ended_connections_total",
}

// TestMetricsPageAgainstAScrape: docs/metrics-and-alerts.md lists every own metric of a loaded gateway under its scraped name.
// Every metric on the page was scraped, or appears after one of the events above.
func TestMetricsPageAgainstAScrape(t *testing.T) {
	content, err := os.ReadFile("../../docs/metrics-and-alerts.md")
	require.NoError(t, err)
	listed, named := map[string]bool{}, map[string]bool{} // listed: whether it is a histogram
	for _, m := range pageEntry.FindAllStringSubmatch(string(content), -1) {
		listed[m[1]] = m[2] != ""
	}
	for _, name := range pageName.FindAllString(string(content), -1) {
		named[name] = true
	}
	require.Greater(t, len(listed), 80)

	g := newGateway(t, "quickstart.yaml", `
receivers: {metricsudp: {aggregation_interval: 100ms}}
processors:
  cardinalitylimit:
    reaggregate: {flush_interval: 100ms}
    attribute_limits: {max_value_bytes: 32}
    limits:
      - {name: metric, key: [metric.name], max_series: 10, overrides: [{match: {metrics: [orders]}, max_series: 12}]}
      - {name: total, key: [], count: streams, max_series: 60, action: drop}
exporters: {fallbacklog: {circuit_breaker: {open_interval: 100ms, max_open_interval: 100ms}}}
`)
	g.start()
	for i := range 100 {
		g.sendDatagram(t, fmt.Sprintf("orders:1|c|#order:%d\nbad line\nwait:%d|ms|#a:1,a:2\nlib,order=%d:1|c", i, i, i))
	}
	g.post(t, "/v1/metrics", fmt.Sprintf(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
		{"name":"a","unit":"ms","histogram":{"aggregationTemporality":1,"dataPoints":[%s,%s]}},
		{"name":"c","unit":"ms","histogram":{"aggregationTemporality":1,"dataPoints":[%s]}},
		{"name":"b","unit":"1","histogram":{"aggregationTemporality":1,"dataPoints":[%s]}}]}]}]}`,
		histogramJSON(`"count":"3","bucketCounts":["1","2"],"explicitBounds":[7]`),
		histogramJSON(`"count":"9","bucketCounts":["1","2"],"explicitBounds":[7]`),
		histogramJSON(`"count":"3"`),
		histogramJSON(`"count":"3","bucketCounts":["1","2"],"explicitBounds":[7],"attributes":[{"key":"long","value":{"stringValue":"`+
			strings.Repeat("x", 100)+`"}}]`)))
	eventually(t, "the log has data", func() bool { return g.own("otelcol_exporter_fallbacklog_segments") > 0 })
	startBackend(t, g.backend)
	eventually(t, "the log is drained", func() bool { return g.own("otelcol_exporter_fallbacklog_segments") == 0 })
	eventually(t, "the overflow series was sent", func() bool {
		return g.own("otelcol_processor_cardinalitylimit_emitted_points_total") > 0
	})

	scrapedNames := map[string]bool{}
	for name, family := range families(t, g.telemetry) {
		if !strings.HasPrefix(name, "otelcol_") {
			continue
		}
		scrapedNames[name] = true
		assert.True(t, named[name], "the page does not name %s", name)
		if histogram, ok := listed[name]; ok {
			assert.Equal(t, family.GetType() == dto.MetricType_HISTOGRAM, histogram, name)
		}
		if family.GetType() == dto.MetricType_COUNTER {
			assert.True(t, strings.HasSuffix(name, "_total"), name)
		}
	}
	events := map[string]bool{}
	for _, name := range eventNames {
		assert.Contains(t, listed, name)
		events[name] = true
	}
	for name := range listed {
		assert.True(t, scrapedNames[name] || events[name] || strings.HasPrefix(name, eventPrefix), "the page lists %s, which is not scraped", name)
	}
	g.stop()
}

func histogramJSON(fields string) string {
	now := time.Now().UnixNano()
	return fmt.Sprintf(`{"startTimeUnixNano":"%d","timeUnixNano":"%d","sum":10,%s}`, now-1e9, now, fields)
}
