package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// TestMemoryOfManySeries: 100,000 series, half of them timers and half counters, with the receiver's default limits. All have
// values in every interval.
func TestMemoryOfManySeries(t *testing.T) {
	const (
		series = 100_000
		maxRSS = 400 << 20
	)
	g := newGateway(t, "quickstart.yaml", `
receivers: {metricsudp: {aggregation_interval: 1s, temporality: delta, limits: {max_series: 100000}}}
exporters: {debug: {verbosity: basic}}
service: {pipelines: {metrics: {receivers: [metricsudp], processors: [], exporters: [debug]}, metrics/page: {receivers: [otlp]}}}
`)
	g.start()
	idle := g.usage()
	p := load.DefaultProfile()
	p.Endpoint = g.udp
	p.Types, p.Series, p.Connections, p.Duration = []string{"c", "ms"}, series, 4, 0
	var lines uint64
	eventually(t, "every series is held", func() bool {
		p.Lines, p.Rate = 5*series, 2*series // several intervals
		ledger, err := load.Run(withTimeout(t), p, nil)
		require.NoError(t, err)
		lines += ledger.Lines
		return g.own("otelcol_receiver_metricsudp_series") == series
	})
	eventually(t, "every line is counted", func() bool { return g.count("lines") == float64(lines) || g.count("kernel_drops") > 0 })
	assert.Zero(t, g.count("overflowed_samples"), "within the default limits")
	peak := g.peakRSS()
	assert.Less(t, peak, int64(maxRSS))
	g.stop()
	t.Logf("%d series of timers and counters, %d lines: RSS at most %d MiB, %d MiB idle", series, lines, peak>>20, idle.rss>>20)
}
