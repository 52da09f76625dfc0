package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPageMovesWhileTheLogIsFull: without a backend, a full log refuses every batch. The Prometheus page beside it still shows
// each new total.
func TestPageMovesWhileTheLogIsFull(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", `
receivers: {metricsudp: {aggregation_interval: 250ms}}
exporters:
  fallbacklog:
    circuit_breaker: {open_interval: 200ms, max_open_interval: 500ms}
    log: {on_full: reject, min_free_disk_mib: 1000000000}
`)
	g.start()
	onPage := func(names ...string) (sum float64) {
		for _, name := range names {
			for _, s := range scrape(t, g.page, name) {
				sum += s.value
			}
		}
		return sum
	}
	g.sendDatagram(t, "level:4|g")
	for total := range 5 {
		g.sendDatagram(t, "clicks:1|c")
		eventually(t, fmt.Sprintf("the page has %d", total+1), func() bool {
			return onPage("clicks_total", "clicks") == float64(total+1) // with a suffix for its type or without
		})
	}
	assert.InDelta(t, 4, onPage("level"), 0)
	assert.Positive(t, g.own("otelcol_exporter_fallbacklog_rejected_items_total"), "the log refuses")
	g.kill() // what the log refused has no place to go
}
