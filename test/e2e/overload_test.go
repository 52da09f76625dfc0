package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// TestFlood: a sender that invents a metric name for every line neither exhausts the memory nor gets the places of others. OTLP
// continues, and so does a counter that existed before.
func TestFlood(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", `
receivers: {metricsudp: {aggregation_interval: 1s}}
`)
	g.start()
	startBackend(t, g.backend)
	g.sendDatagram(t, "before:1|c")
	eventually(t, "the counter is on the page", func() bool { return len(scrape(t, g.page, "before_total")) == 1 })

	flood := load.DefaultProfile()
	flood.Endpoint = g.udp
	flood.Prefix = "made.up"
	flood.Types = []string{"c"}
	flood.Series, flood.Tags = 200_000, 0 // without tags every series is a name
	flood.Rate, flood.Duration, flood.Lines = 50_000, 0, 400_000
	ledger, err := load.Run(withTimeout(t), flood, nil)
	require.NoError(t, err)
	flooded := g.usage()

	newSender(t, g.grpc).sendAll(t, 30)
	g.sendDatagram(t, "before:1|c")
	eventually(t, "the counter goes on", func() bool {
		page := scrape(t, g.page, "before_total")
		return len(page) == 1 && page[0].value == 2
	})
	assert.Less(t, flooded.rss, int64(600<<20))
	assert.Positive(t, g.own("otelcol_receiver_metricsudp_overflowed_samples_total"))
	g.stop()
	t.Logf("%d lines with %d names: RSS %.0f MiB", ledger.Lines, flood.Series, float64(flooded.rss)/(1<<20))
}

// TestRefusedDeltaIsNotLost: the backend is down and the log is full, so a delta is refused. When
// its sender repeats it after the recovery it is delivered, although the Prometheus page has seen it.
func TestRefusedDeltaIsNotLost(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", impatient, `
exporters: {fallbacklog: {log: {max_segment_size_mib: 1, max_disk_mib: 1, on_full: reject}}}
`)
	g.start()
	post := func(path string, body []byte) int {
		request, err := http.NewRequestWithContext(withTimeout(t), http.MethodPost, "http://"+g.http+path, bytes.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	fill := fmt.Appendf(nil, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"%s"}}]}]}]}`, bytes.Repeat([]byte("x"), 100<<10))
	eventually(t, "the log is full", func() bool { return post("/v1/logs", fill) == http.StatusServiceUnavailable })

	now := time.Now().UnixNano()
	// Together larger than the free space, but each within attribute_limits.
	filler := make([]string, 50)
	for i := range filler {
		filler[i] = fmt.Sprintf(`{"key":"filler.%d","value":{"stringValue":"%s"}}`, i, strings.Repeat("y", 3<<10))
	}
	delta := fmt.Appendf(nil, `{"resourceMetrics":[{"resource":{"attributes":[%s]},
		"scopeMetrics":[{"metrics":[{"name":"paid","sum":{"aggregationTemporality":1,"isMonotonic":true,
		"dataPoints":[{"asInt":"42","startTimeUnixNano":"%d","timeUnixNano":"%d"}]}}]}]}]}`, strings.Join(filler, ","), now-int64(time.Second), now)
	require.Equal(t, http.StatusServiceUnavailable, post("/v1/metrics", delta))

	b := startBackend(t, g.backend)
	eventually(t, "the gateway takes it", func() bool { return post("/v1/metrics", delta) == http.StatusOK })
	eventually(t, "the backend has it", func() bool { return b.sum("paid") == 42 })
	page := scrape(t, g.page, "paid_total")
	require.Len(t, page, 1)
	assert.InDelta(t, 42, page[0].value, 0, "counted once on the page")
	g.stop()
}
