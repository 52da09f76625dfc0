package metricsudp

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

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

// Senders to localhost may use any of its addresses, depending on their resolver.
func TestEndpointNameWithOtherHostsAddresses(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint, cfg.Readers = "metrics.test:0", 1
	set := receivertest.NewNopSettings(metadata.Type)
	core, logs := observer.New(zap.InfoLevel)
	set.Logger = zap.New(core)
	sink := new(consumertest.MetricsSink)
	r, err := newReceiver(set, cfg, sink)
	require.NoError(t, err)
	r.resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{
			netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1"),
			netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("127.0.0.2"),
		}, nil
	}
	require.NoError(t, r.Start(context.Background(), componenttest.NewNopHost()))
	for _, conn := range r.input.conns {
		_, err := dial(t, conn.(*socket.Conn).LocalAddr()).Write([]byte("hits:1|c"))
		require.NoError(t, err)
	}
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, int64(2), findMetric(t, sink.AllMetrics(), "hits").Sum().DataPoints().At(0).IntValue())
	skipped := logs.FilterMessageSnippet("Not listening").All()
	require.Len(t, skipped, 1, "one line for all")
	assert.Equal(t, zap.InfoLevel, skipped[0].Level)
	addresses := fmt.Sprint(skipped[0].ContextMap()["addresses"])
	assert.Contains(t, addresses, "192.0.2.1")
	assert.Contains(t, addresses, "2001:db8::1")
}

func TestDeniedSources(t *testing.T) {
	r := start(t, consumertest.NewNop(), func(c *Config) { c.AllowedCIDRs = []string{"192.0.2.0/24"} })
	r.send(t, "a:1|c")
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, int64(1), sumOf(r.counted(t, "denied_datagrams", "")))
	assert.Zero(t, sumOf(r.counted(t, "datagrams", "")))
}

func TestTakenPort(t *testing.T) {
	first := start(t, consumertest.NewNop(), nil)
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint = first.addr().String()
	second, err := newReceiver(receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	err = second.Start(context.Background(), componenttest.NewNopHost())
	var inUse *socket.InUseError
	require.ErrorAs(t, err, &inUse)
	require.ErrorContains(t, err, "endpoint: "+cfg.Endpoint+" is already in use")
	require.NoError(t, second.Shutdown(context.Background()), "after a Start that failed")
}

func TestCumulativeHasAnInstance(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, func(c *Config) {
		c.Temporality = temporalityCumulative
		c.ResourceAttributes = map[string]any{"service.name": "edge"}
	})
	r.send(t, "a:1|c|T1600000000")
	require.NoError(t, r.Shutdown(context.Background()))
	md := sink.AllMetrics()[0]
	attrs := md.ResourceMetrics().At(0).Resource().Attributes().AsRaw()
	assert.Equal(t, "edge", attrs["service.name"])
	assert.NotEmpty(t, attrs[instanceIDKey])
	sum := findMetric(t, sink.AllMetrics(), "a").Sum()
	assert.Equal(t, pmetric.AggregationTemporalityCumulative, sum.AggregationTemporality())
	assert.NotZero(t, sum.DataPoints().At(0).StartTimestamp(), "a timestamp has no place in a cumulative sum")
}

func TestGauges(t *testing.T) {
	r := start(t, consumertest.NewNop(), func(c *Config) { c.SocketBufferSize, c.Readers = 65536, 1 })
	r.send(t, "a:1|c|#x:1,y:2,x:3\na:1|c|#y:2,x:3\nb:1|c")
	r.clock.tick(1)
	require.NoError(t, r.Shutdown(context.Background()))
	for name, want := range map[string]int64{"series": 2, "aliases": 3} {
		assert.Equal(t, want, r.gauge(t, name), name)
	}
	assert.Equal(t, int64(1), sumOf(r.counted(t, "duplicate_tags", "")))
	_, err := r.telemetry.GetMetric("otelcol_receiver_metricsudp_flush_duration")
	require.NoError(t, err)
}

// The line about refused decrements names the metric and the keys that accept them.
func TestRefusedDecrementsNameTheirKey(t *testing.T) {
	fields := map[string]any{}
	for _, f := range refusal(flush.Example{Reason: line.NegativeCounter, Text: " sessions.open :-1|c"}) {
		if fields[f.Key] = f.String; f.Interface != nil {
			fields[f.Key] = fmt.Sprint(f.Interface)
		}
	}
	assert.Equal(t, map[string]any{
		"reason": "negative_counter", "example": " sessions.open :-1|c", "metric": "sessions.open",
		"accepted_with": "counters::non_monotonic or is_monotonic_counter: false",
	}, fields)
	assert.Len(t, refusal(flush.Example{Reason: line.NoName, Text: ":1|c"}), 2)
}

func TestOneExampleALogMinute(t *testing.T) {
	report, err := newReporter(receivertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	now := time.Unix(0, 0)
	report.now = func() time.Time { return now }
	assert.True(t, report.due("no_value"))
	assert.False(t, report.due("no_value"))
	assert.True(t, report.due("no_type"))
	now = now.Add(logEvery)
	assert.True(t, report.due("no_value"))
}
