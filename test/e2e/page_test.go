package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// reservedLabels are the labels that Prometheus sets itself.
var reservedLabels = []string{"le", "quantile", "instance", "job", "__name__"}

// TestPage: metrics with labels that Prometheus reserves, and one name of several types, are all on the page of every
// configuration that has one. A real Prometheus stores them, and the gateway logs nothing about them.
func TestPage(t *testing.T) {
	for _, file := range []string{"quickstart.yaml", "development.yaml"} {
		t.Run(file, func(t *testing.T) { testPage(t, file) })
	}
}

func testPage(t *testing.T, file string) {
	g := newGateway(t, file, `
receivers: {metricsudp: {aggregation_interval: 1s}}
`)
	startBackend(t, g.backend)
	g.start()
	p := startPrometheus(t, g.page)
	silent := g.output.String()

	for _, label := range reservedLabels {
		for _, kind := range []string{"c", "g", "ms", "h"} {
			g.sendDatagram(t, fmt.Sprintf("x:1|%s|#%s:of the sender", kind, label))
		}
		g.sendDatagram(t, fmt.Sprintf("both:1|g|#%[1]s:a,exported_%[1]s:b", label))
	}
	for _, kind := range []string{"c", "g", "ms", "h"} {
		g.sendDatagram(t, "otel.metric.overflow:1|"+kind)
	}
	for i, key := range []string{"__", "__x", "-", "ключ", ".._y", "1st"} {
		g.sendDatagram(t, fmt.Sprintf("keys:%d|g|#%s:v", i, key))
	}
	g.sendDatagram(t, "-:1|g\nпять:1|c\ntarget.info:1|g|#a:b")
	postOTLP(t, g, `{"resourceMetrics":[{"resource":{"attributes":[
		{"key":"service.name","value":{"stringValue":"shop"}},{"key":"service.instance.id","value":{"stringValue":"shop-1"}},
		{"key":"job","value":{"stringValue":"resource"}},{"key":"__x","value":{"stringValue":"y"}}]},
		"scopeMetrics":[{"scope":{"name":"web","version":"1.2"},"metrics":[
		{"name":"order.process_time","unit":"ms","description":"Time to process an order.","histogram":{"aggregationTemporality":2,"dataPoints":[
			{"count":"2","sum":30,"explicitBounds":[10],"bucketCounts":["1","1"],"startTimeUnixNano":"1","timeUnixNano":"1000000000"}]}},
		{"name":"order.wait_time","unit":"ms","histogram":{"aggregationTemporality":2,"dataPoints":[
			{"count":"2","sum":30,"explicitBounds":[10],"bucketCounts":["1","1"],"startTimeUnixNano":"1","timeUnixNano":"1000000000"}]}},
		{"name":"order.size","histogram":{"aggregationTemporality":2,"dataPoints":[
			{"count":"2","sum":30,"explicitBounds":[10],"bucketCounts":["1","1"],"startTimeUnixNano":"1","timeUnixNano":"1000000000"}]}}
	]}]}]}`)

	ctx := withTimeout(t)
	has := func(expression string, want float64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s is %v", expression, want), func() bool { return p.value(ctx, expression) == want })
	}
	for _, label := range reservedLabels {
		sender := fmt.Sprintf(`{exported_%s="of the sender"}`, label)
		has("x_total"+sender, 1)
		has("x"+sender, 1)
		has("x_milliseconds_count"+sender, 1)
		has("x_histogram_count"+sender, 1)
		has(fmt.Sprintf(`both{exported_exported_%[1]s="a",exported_%[1]s="b"}`, label), 1)
	}
	for _, name := range []string{"x_total", "x", "x_milliseconds_count", "x_histogram_count"} {
		has("otel_metric_overflow"+strings.TrimPrefix(name, "x"), 1)
	}
	has(`count(keys)`, 6)
	for i, label := range []string{"exported___", "exported___x", "exported__", "exported_____", "exported____y", "key_1st"} {
		has(fmt.Sprintf(`keys{%s="v"}`, label), float64(i))
	}
	has(`exported`, 1)
	has(`exported_total`, 1)
	has(`exported_target_info{a="b"}`, 1)
	has(`target_info{job="shop",instance="shop-1",exported_job="resource",exported___x="y"}`, 1)
	has(`order_process_time_bucket{job="shop",instance="shop-1",le="+Inf"}`, 2)
	has(`order_wait_time_milliseconds_bucket{job="shop",le="+Inf"}`, 2)
	has(`order_size_bucket{job="shop",le="+Inf"}`, 2)
	for _, s := range p.query(ctx, `{__name__=~"x.*|order.*"}`) {
		for label := range maps.Keys(s.labels) {
			assert.NotContains(t, label, "otel_scope")
		}
	}
	assert.Contains(t, pageText(t, g), "# HELP order_process_time Time to process an order.\n")
	assert.InDelta(t, 1, p.value(ctx, `min_over_time(up{job="gateway"}[1h])`), 0, "every scrape was valid")
	said := strings.Split(strings.TrimPrefix(g.output.String(), silent), "\n")
	said = slices.DeleteFunc(said, func(line string) bool {
		return !strings.Contains(line, "prometheus") && !strings.Contains(line, "error")
	})
	assert.Empty(t, said, "nothing is logged")
	g.stop()
}

func pageText(t *testing.T, g *gateway) string {
	t.Helper()
	response, err := http.Get("http://" + g.page + "/metrics")
	require.NoError(t, err)
	return body(t, response)
}

// postOTLP sends metrics as JSON and expects them to be accepted.
func postOTLP(t *testing.T, g *gateway, metrics string) {
	t.Helper()
	response, err := http.Post("http://"+g.http+"/v1/metrics", "application/json", strings.NewReader(metrics))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body(t, response))
}

// body reads and closes a response.
func body(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(content)
}

// TestPageOfWideHistograms: with histograms of as many buckets as attribute_limits allow, in as many series as the limits
// allow, the page is still answered and the gateway's memory stays bounded. The page has one line per bucket.
func TestPageOfWideHistograms(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	startSink(t, g.backend)
	g.start()
	bounds := make([]float64, 2047)
	for i := range bounds {
		bounds[i] = float64(i)
	}
	counts := make([]uint64, len(bounds)+1)
	counts[1000] = 1
	h := &hostile{g: g}
	const requests, points = 60, 60
	for i := range requests {
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", "wide")
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName(fmt.Sprintf("wide.%d", i/6))
		m.SetUnit("By")
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for j := range points {
			p := m.Histogram().DataPoints().AppendEmpty()
			p.Attributes().PutInt("series", int64(i*points+j))
			p.SetStartTimestamp(1)
			p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
			p.SetCount(1)
			p.ExplicitBounds().FromRaw(bounds)
			p.BucketCounts().FromRaw(counts)
		}
		refused, err := h.overHTTP(pmetricotlp.NewExportRequestFromMetrics(md))
		require.NoError(t, err)
		require.False(t, refused, "request %d", i)
	}
	var seen float64
	for _, series := range scrape(t, g.page, "wide_0_bytes") {
		seen += series.value
	}
	assert.InDelta(t, 6*points, seen, 0)
	assert.Less(t, g.peakRSS(), int64(hostileRSS), "resident memory")
	g.stop()
}
