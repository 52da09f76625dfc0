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
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
)

// manualClock ends an interval when the test calls tick.
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

// tick ends an interval at a number of seconds after the start. It returns when the flusher has received the tick. The next tick
// returns after that flush has ended.
func (c *manualClock) tick(seconds int) { c.ticks <- c.start.Add(time.Duration(seconds) * time.Second) }

// running is a receiver on a loopback port with a client.
type running struct {
	*udpReceiver
	clock     *manualClock
	telemetry *componenttest.Telemetry
	client    net.Conn // nil of a stream transport
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
	run := &running{udpReceiver: r, clock: clock, telemetry: telemetry}
	if !cfg.isStream() {
		run.client = dial(t, r.addr())
	}
	return run
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
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

// counted returns the receiver's counter by the value of an attribute, which is "" without the attribute.
func (r *running) counted(t testing.TB, name, by string) map[string]int64 {
	t.Helper()
	return countedIn(t, r.telemetry, name, by)
}

func countedIn(t testing.TB, telemetry *componenttest.Telemetry, name, by string) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	for _, p := range harness.Points[int64](t, telemetry.Reader, "otelcol_receiver_metricsudp_"+name) {
		value, _ := p.Attributes.Value(attribute.Key(by))
		if p.Value > 0 { // counters of loss begin at zero
			counts[value.AsString()] += p.Value
		}
	}
	return counts
}

func (r *running) gauge(t testing.TB, name string) int64 {
	t.Helper()
	return harness.Value(t, r.telemetry.Reader, "otelcol_receiver_metricsudp_"+name)
}

func nopSettings() receiver.Settings { return receivertest.NewNopSettings(metadata.Type) }

func sumOf(counts map[string]int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}
