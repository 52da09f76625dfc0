package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// latencyBounds are the upper bounds of the preset latency_ms as Prometheus shows them.
var latencyBounds = []string{"0", "10", "50", "100", "500", "+Inf"}

// TestMetrics: datadog-go over UDP and the OpenTelemetry SDK over OTLP send a label that explodes, to a real Prometheus that
// scrapes the page and accepts remote write. The totals equal what was sent.
func TestMetrics(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	p := startPrometheus(t, g.page)
	g.withOverlay(fmt.Sprintf(`
receivers:
  metricsudp: {aggregation_interval: 1s}
processors:
  cardinalitylimit:
    reaggregate: {flush_interval: 1s}
exporters:
  prometheus_remote_write:
    endpoint: http://%s/api/v1/write
    external_labels: {path: remote_write}
service:
  pipelines:
    metrics/page:
      exporters: [prometheus, prometheus_remote_write]
`, p.address))
	g.start()
	startBackend(t, g.backend)

	const (
		orders  = 40_000
		timings = 5_000
		pods    = 5
		errors  = 1_000 // distinct error texts a pod
	)

	// A host with datadog-go and its defaults: client-side aggregation, origin detection.
	dogstatsd, err := statsd.New(g.udp)
	require.NoError(t, err)
	for i := range orders {
		require.NoError(t, dogstatsd.Count("shop.orders", int64(1+i%3), []string{fmt.Sprintf("shop:s%d", i%8)}, 1))
	}
	for i := range timings {
		require.NoError(t, dogstatsd.TimeInMilliseconds("checkout.time", float64(i%600), nil, 1))
	}
	require.NoError(t, dogstatsd.Gauge("shop.queue", 17, nil, 1))
	require.NoError(t, dogstatsd.Close()) // flushes

	// Five pods of one service whose developers put the raw error text into a label.
	for pod := range pods {
		exporter, err := otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpoint(g.grpc), otlpmetricgrpc.WithInsecure())
		require.NoError(t, err)
		provider := sdkmetric.NewMeterProvider(
			sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)),
			sdkmetric.WithResource(resource.NewSchemaless(
				attribute.String("service.name", "order"),
				attribute.String("service.instance.id", fmt.Sprintf("order-%d", pod)),
			)),
		)
		meter := provider.Meter("order")
		failed, err := meter.Int64Counter("order.errors")
		require.NoError(t, err)
		processTime, err := meter.Float64Histogram("order.process_time", metric.WithUnit("ms"))
		require.NoError(t, err)
		// Twice, with an export in between: cumulative streams in the overflow series must count once.
		for range 2 {
			for i := range errors {
				failed.Add(t.Context(), 1, metric.WithAttributes(
					attribute.String("error", fmt.Sprintf("pod %d: connection %d reset", pod, i)),
				))
				processTime.Record(t.Context(), float64(i%700))
			}
			require.NoError(t, provider.ForceFlush(withTimeout(t)))
		}
		require.NoError(t, provider.Shutdown(withTimeout(t)))
	}

	ordersSent := 0.0
	for i := range orders {
		ordersSent += float64(1 + i%3)
	}
	ctx := withTimeout(t)
	// The scraped page and remote write contain the same; path distinguishes them.
	for _, path := range []string{`path=""`, `path="remote_write"`} {
		expect := func(expression string, want float64) {
			t.Helper()
			eventually(t, fmt.Sprintf("%s is %v", expression, want), func() bool { return p.value(ctx, expression) == want })
		}
		expect(`sum(shop_orders_total{`+path+`})`, ordersSent)
		expect(`count(shop_orders_total{`+path+`})`, 8)
		expect(`sum(shop_queue{`+path+`})`, 17)
		expect(`sum(checkout_time_milliseconds_count{`+path+`})`, timings)
		// At most 500 attribute sets and the overflow series. The last 100 places are for series that continue. Which series
		// these are depends on the times of the exports.
		expect(`(count(order_errors_total{`+path+`}) >= bool 401) * (count(order_errors_total{`+path+`}) <= bool 501)`, 1)
		expect(`count(order_errors_total{otel_metric_overflow="true",`+path+`})`, 1)
		expect(`sum(order_errors_total{`+path+`})`, 2*pods*errors)
		// The overflow series counts the errors without a place. A series that gets its place later has left its first errors
		// there.
		overflow := p.value(ctx, `sum(order_errors_total{otel_metric_overflow="true",`+path+`})`)
		assert.GreaterOrEqual(t, overflow, float64(2*(pods*errors-500)), path)
		assert.LessOrEqual(t, overflow, float64(2*(pods*errors-400)), path)
		expect(`sum(order_process_time_count{`+path+`})`, 2*pods*errors)
		for _, name := range []string{"order_process_time_bucket", "checkout_time_milliseconds_bucket"} {
			bounds := map[string]bool{}
			for _, s := range p.query(ctx, name+`{`+path+`}`) {
				bounds[s.labels["le"]] = true
			}
			assert.Len(t, bounds, len(latencyBounds), "%s: %v", name, bounds)
			for _, b := range latencyBounds {
				assert.Contains(t, bounds, b, name)
			}
		}
	}
	// The SDK's default bounds include 0, 10, 50, 100 and 500, so these counts are exact.
	assert.InDelta(t, float64(2*pods*(errors/700*11+11)), p.value(ctx, `sum(order_process_time_bucket{le="10",path=""})`), 0)

	assert.Zero(t, g.own("otelcol_receiver_metricsudp_kernel_drops_total"))
	assert.Zero(t, g.own("otelcol_receiver_metricsudp_rejected_lines_total"))
	g.stop()
	t.Logf("Prometheus holds %v orders, %d timings, 501 series of %d wanted with a total of %d, by scrape and by remote write",
		ordersSent, timings, pods*errors, 2*pods*errors)
}

// TestQuickstart: one datagram of x:1|c, as nc sends it, shows on the page.
func TestQuickstart(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	g.start()
	g.sendDatagram(t, "x:1|c")
	eventually(t, "x is on the page", func() bool {
		page := scrape(t, g.page, "x_total")
		return len(page) == 1 && page[0].value == 1
	})
	// Bad lines are counted by reason and do not affect other lines of their datagram.
	g.sendDatagram(t, "y:1|c\nno colon\nz:nan|g\ny:1|c|@0\ny:2|c\n\x00\xff")
	eventually(t, "y is on the page", func() bool {
		page := scrape(t, g.page, "y_total")
		return len(page) == 1 && page[0].value == 3
	})
	eventually(t, "the malformed lines are counted", func() bool {
		return g.own("otelcol_receiver_metricsudp_rejected_lines_total") == 4
	})
	assert.Greater(t, len(scrape(t, g.telemetry, "otelcol_receiver_metricsudp_rejected_lines_total")), 1, "by reason")
	g.stop()
}

// TestMalformedOTLP: requests that do not decode are refused and counted by their status. A histogram whose counts do not add
// up is dropped and counted. The gateway continues.
func TestMalformedOTLP(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	g.start()
	post := func(contentType, body string) int {
		t.Helper()
		response, err := http.Post("http://"+g.http+"/v1/metrics", contentType, strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	const asJSON = "application/json"
	assert.Equal(t, http.StatusBadRequest, post(asJSON, `{"resourceMetrics": nope`))
	assert.Equal(t, http.StatusBadRequest, post("application/x-protobuf", "garbage"))
	assert.Equal(t, http.StatusUnsupportedMediaType, post("text/plain", "garbage"))
	assert.Equal(t, http.StatusOK, post(asJSON, `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
		{"name":"broken","unit":"ms","histogram":{"aggregationTemporality":2,"dataPoints":[
			{"count":"7","sum":1,"explicitBounds":[1,2],"bucketCounts":["1","1"],"timeUnixNano":"1000000000"}]}},
		{"name":"fine","gauge":{"dataPoints":[{"asInt":"17","timeUnixNano":"1000000000"}]}}
	]}]}]}`))

	const answered = "http_server_request_duration_seconds"
	assert.InDelta(t, 2, g.own(answered, "http_response_status_code", "400"), 0)
	assert.InDelta(t, 1, g.own(answered, "http_response_status_code", "415"), 0)
	assert.InDelta(t, 1, g.own("otelcol_processor_bucketing_dropped_points_total"), 0)
	page := scrape(t, g.page, "fine")
	require.Len(t, page, 1, "its neighbour passes")
	assert.InDelta(t, 17, page[0].value, 0)
	g.stop()
}
