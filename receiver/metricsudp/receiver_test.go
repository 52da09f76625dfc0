package metricsudp

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
)

// manualClock flushes when the test says so.
type manualClock struct {
	start time.Time
	ticks chan time.Time
}

func newManualClock() *manualClock {
	return &manualClock{start: time.Unix(1_700_000_000, 0), ticks: make(chan time.Time)}
}

func (c *manualClock) Now() time.Time { return c.start }

func (c *manualClock) Next(stopped <-chan struct{}) (time.Time, bool) {
	select {
	case now := <-c.ticks:
		return now, true
	case <-stopped:
		return time.Time{}, false
	}
}

// tick flushes at a number of seconds after the start. It returns when the flusher
// has taken the tick; the tick after it when that flush is over.
func (c *manualClock) tick(seconds int) { c.ticks <- c.start.Add(time.Duration(seconds) * time.Second) }

// running is a receiver on a loopback port with a client.
type running struct {
	*udpReceiver
	clock     *manualClock
	telemetry *componenttest.Telemetry
	client    net.Conn
}

func start(t *testing.T, next consumer.Metrics, change func(*Config)) *running {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint = "127.0.0.1:0"
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	telemetry := componenttest.NewTelemetry()
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	r, err := newReceiver(set, cfg, next)
	require.NoError(t, err)
	clock := newManualClock()
	r.clock = clock
	require.NoError(t, r.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		assert.NoError(t, r.Shutdown(context.Background()))
		assert.NoError(t, telemetry.Shutdown(context.Background()))
	})
	return &running{udpReceiver: r, clock: clock, telemetry: telemetry, client: dial(t, r.addr())}
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", addr.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *running) send(t *testing.T, datagram string) {
	t.Helper()
	_, err := r.client.Write([]byte(datagram))
	require.NoError(t, err)
}

// findMetric finds a metric in batches by its name.
func findMetric(t *testing.T, batches []pmetric.Metrics, name string) pmetric.Metric {
	t.Helper()
	for _, md := range batches {
		for i := range md.ResourceMetrics().Len() {
			metrics := md.ResourceMetrics().At(i).ScopeMetrics().At(0).Metrics()
			for j := range metrics.Len() {
				if metrics.At(j).Name() == name {
					return metrics.At(j)
				}
			}
		}
	}
	require.Failf(t, "no such metric", "%s", name)
	return pmetric.Metric{}
}

func TestAllTypesFromDatagramToPoint(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, nil)
	r.send(t, "hits:3|c|#b:2,a:1\nhits:2|c|@0.5|#a:1,b:2\r\nhits:1:1::1|c|#a:1,b:2\n")
	r.send(t, "level:10|g\nlevel:+5|g\nlevel:-2|g")
	r.send(t, "took:12:20|ms\nsize:100|h|@0.1\ndist:-1:0:1|d\nusers:a:b|s\nusers:c|s\nusers:a:b|s")
	require.NoError(t, r.Shutdown(context.Background()))

	batches := sink.AllMetrics()
	require.Len(t, batches, 1)
	require.Equal(t, 1, batches[0].ResourceMetrics().Len())
	require.Equal(t, 1, batches[0].ResourceMetrics().At(0).ScopeMetrics().Len())

	hits := findMetric(t, batches, "hits").Sum()
	assert.True(t, hits.IsMonotonic())
	assert.Equal(t, pmetric.AggregationTemporalityDelta, hits.AggregationTemporality())
	require.Equal(t, 1, hits.DataPoints().Len())
	assert.Equal(t, int64(3+4+3), hits.DataPoints().At(0).IntValue())
	assert.Equal(t, map[string]any{"a": "1", "b": "2"}, hits.DataPoints().At(0).Attributes().AsRaw())

	assert.InDelta(t, 13, findMetric(t, batches, "level").Gauge().DataPoints().At(0).DoubleValue(), 0)
	assert.Equal(t, int64(2), findMetric(t, batches, "users").Gauge().DataPoints().At(0).IntValue())

	took := findMetric(t, batches, "took")
	assert.Equal(t, "ms", took.Unit())
	p := took.ExponentialHistogram().DataPoints().At(0)
	assert.Equal(t, uint64(2), p.Count())
	assert.InDelta(t, 32, p.Sum(), 0)
	p = findMetric(t, batches, "size").ExponentialHistogram().DataPoints().At(0)
	assert.Equal(t, uint64(10), p.Count())
	assert.InDelta(t, 1000, p.Sum(), 0)
	p = findMetric(t, batches, "dist").ExponentialHistogram().DataPoints().At(0)
	assert.Equal(t, uint64(3), p.Count())
	assert.Equal(t, uint64(1), p.ZeroCount())
	assert.InDelta(t, -1, p.Min(), 0)
	assert.InDelta(t, 1, p.Max(), 0)
}
