package metricsudp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
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

// counted returns the receiver's counter by the value of an attribute, which is "" without the attribute.
func (r *running) counted(t testing.TB, name, by string) map[string]int64 {
	t.Helper()
	return countedIn(t, r.telemetry, name, by)
}

func countedIn(t testing.TB, telemetry *componenttest.Telemetry, name, by string) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	m, err := telemetry.GetMetric("otelcol_receiver_metricsudp_" + name)
	if err != nil {
		return counts // nothing was added
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		value, _ := p.Attributes.Value(attribute.Key(by))
		if p.Value > 0 { // counters of loss begin at zero
			counts[value.AsString()] += p.Value
		}
	}
	return counts
}

func (r *running) gauge(t testing.TB, name string) int64 {
	t.Helper()
	m, err := r.telemetry.GetMetric("otelcol_receiver_metricsudp_" + name)
	require.NoError(t, err)
	return m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value
}

func nopSettings() receiver.Settings { return receivertest.NewNopSettings(metadata.Type) }

func sumOf(counts map[string]int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// The emitted sum of a counter is the sent sum, for any number of readers and any times of flushes. The last flush is that of the
// shutdown.
func TestCountersAreConserved(t *testing.T) {
	for _, readers := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(readers), func(t *testing.T) {
			if readers > socket.MaxSockets {
				t.Skip("one socket a port on this system")
			}
			sink := new(consumertest.MetricsSink)
			r := start(t, sink, func(c *Config) { c.Readers, c.SocketBufferSize = readers, 4<<20 })
			const clients, datagrams = 8, 25 // fits the smallest default receive buffer
			want := make([]int64, clients)
			var sending sync.WaitGroup
			for client := range clients {
				conn := dial(t, r.addr())
				sending.Go(func() {
					for i := range datagrams {
						if _, err := fmt.Fprintf(conn, "total:%d|c|#x:1\ntotal:%d|c|@0.5|#x:1\nown:1|c|#client:%d", i, i, client); err != nil {
							t.Error(err)
						}
						want[client] += 3 * int64(i)
					}
				})
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := range 20 {
					r.clock.tick(i + 1)
				}
			}()
			sending.Wait()
			<-done
			require.NoError(t, r.Shutdown(context.Background()))

			drops := sumOf(r.counted(t, "kernel_drops", ""))
			require.Zero(t, drops, "the buffer can hold all that was sent")
			var all int64
			for _, n := range want {
				all += n
			}
			got := map[string]int64{}
			for _, md := range sink.AllMetrics() {
				metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
				for i := range metrics.Len() {
					points := metrics.At(i).Sum().DataPoints()
					for j := range points.Len() {
						got[metrics.At(i).Name()] += points.At(j).IntValue()
					}
				}
			}
			assert.Equal(t, map[string]int64{"total": all, "own": clients * datagrams}, got)
			assert.Equal(t, int64(clients*datagrams), sumOf(r.counted(t, "datagrams", "")))
			assert.Equal(t, map[string]int64{"counter": 3 * clients * datagrams}, r.counted(t, "lines", "type"))
		})
	}
}

func TestEveryLineIsAccountedFor(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, func(c *Config) { c.MaxDatagramSize = 200 })
	lines := []string{
		"a:1|c", "a:1:2|c", "a:-1|c", "a:x|c", "a:1", "a", ":1|c", "a:1|q", "a:1|c|@2", "a:1|c|@1e-300", "a:1|c|T0",
		"a:1|g", "a:1|ms", "a:1|h", "a:1|d", "a:1|s", "_e{1,1}:a|b", "_e{9,9}:a", "_sc|a|0", "a:1|c|#:x", "a:nan|g", "a:1e300|g",
	}
	for _, l := range lines {
		r.send(t, l)
	}
	r.send(t, strings.Repeat("a:1|c\n", 40)) // 240 bytes: 33 whole lines in 200, the 34th cut
	r.clock.tick(1)
	require.NoError(t, r.Shutdown(context.Background()))

	assert.Equal(t, map[string]int64{
		"counter": 2 + 33, "gauge": 1, "timer": 1, "histogram": 1, "distribution": 1, "set": 1, "event": 1, "service_check": 1,
	}, r.counted(t, "lines", "type"))
	assert.Equal(t, map[string]int64{
		"negative_counter": 1, "bad_value": 2, "no_type": 1, "no_value": 1, "no_name": 1, "unknown_type": 1, "bad_rate": 1,
		"rate_too_small": 1, "bad_timestamp": 1, "bad_annotation": 1, "bad_tag": 1, "out_of_range": 1, "truncated": 1,
	}, r.counted(t, "rejected_lines", "reason"))
	assert.Equal(t, int64(len(lines)+34), sumOf(r.counted(t, "lines", "type"))+sumOf(r.counted(t, "rejected_lines", "reason")))
	assert.Equal(t, int64(len(lines)+1), sumOf(r.counted(t, "datagrams", "")))
	assert.Equal(t, int64(1), sumOf(r.counted(t, "truncated_datagrams", "")))
}

// All datagrams are received or counted as dropped by the kernel. The consumer stalls meanwhile, which does not delay the readers.
func TestSentIsReceivedPlusDropped(t *testing.T) {
	if socket.MaxSockets == 1 {
		t.Skip("the kernel's drops are unknown on this system")
	}
	release := make(chan struct{})
	next, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error { <-release; return nil })
	require.NoError(t, err)
	r := start(t, next, func(c *Config) { c.SocketBufferSize, c.Readers = 2048, 1 })
	const sent = 20_000
	for i := range sent {
		r.send(t, "a:1|c")
		if i%1000 == 0 {
			r.clock.tick(i + 1)
		}
	}
	close(release)
	require.NoError(t, r.Shutdown(context.Background()))
	received, drops := sumOf(r.counted(t, "datagrams", "")), sumOf(r.counted(t, "kernel_drops", ""))
	t.Logf("%d sent = %d received + %d dropped by the kernel", sent, received, drops)
	assert.Equal(t, int64(sent), received+drops)
	assert.Equal(t, map[string]int64{"counter": received}, r.counted(t, "lines", "type"))
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

// Refused counts points, not attempts.
func TestRefusedPointsAreCounted(t *testing.T) {
	calls := 0
	next, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error {
		if calls++; calls <= 3 {
			return errors.New("busy")
		}
		return nil
	})
	require.NoError(t, err)
	r := start(t, next, func(c *Config) { c.AggregationInterval = time.Millisecond })
	r.send(t, "a:1|c\nb:1|c")
	require.NoError(t, r.Shutdown(context.Background()))
	for name, want := range map[string]int64{"accepted": 2, "refused": 2} {
		m, err := r.telemetry.GetMetric("otelcol_receiver_" + name + "_metric_points")
		require.NoError(t, err)
		assert.Equal(t, want, m.Data.(metricdata.Sum[int64]).DataPoints[0].Value, name)
	}
}

// The clock is that of the synctest bubble: it advances when all goroutines wait.
func TestShutdownStaysWithinItsBudget(t *testing.T) {
	for name, hang := range map[string]func(ctx context.Context, forever <-chan struct{}) error{
		"refusing":            func(context.Context, <-chan struct{}) error { return errors.New("busy") },
		"hanging":             func(ctx context.Context, _ <-chan struct{}) error { <-ctx.Done(); return ctx.Err() },
		"deaf to its context": func(_ context.Context, forever <-chan struct{}) error { <-forever; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forever := make(chan struct{})
				next, err := consumer.NewMetrics(func(ctx context.Context, _ pmetric.Metrics) error { return hang(ctx, forever) })
				require.NoError(t, err)
				r := start(t, next, func(c *Config) { c.Readers = 1 })
				r.send(t, "a:1|c")
				began := time.Now()
				require.ErrorIs(t, r.Shutdown(context.Background()), flush.ErrNotHandedOn)
				took := time.Since(began)
				assert.LessOrEqual(t, took, shutdown.Receiver)
				assert.GreaterOrEqual(t, took, shutdown.Receiver/2, "the pipeline is given time")
				close(forever)
			})
		})
	}
}

// If the socket stayed open while the pipeline accepts the last interval, its datagrams would be lost without an error at the
// sender.
func TestShutdownClosesTheSocketsBeforeThePipelineIsDone(t *testing.T) {
	offered, release := make(chan struct{}), make(chan struct{})
	next, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error {
		close(offered)
		<-release
		return nil
	})
	require.NoError(t, err)
	r := start(t, next, func(c *Config) { c.Readers = 1 })
	addr := r.addr().String()
	r.send(t, "a:1|c")
	var stopping sync.WaitGroup
	stopping.Go(func() { assert.NoError(t, r.Shutdown(context.Background())) })
	<-offered
	again, err := net.ListenPacket("udp", addr)
	close(release)
	stopping.Wait()
	require.NoError(t, err, "the port is free")
	require.NoError(t, again.Close())
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
		m, err := r.telemetry.GetMetric("otelcol_receiver_metricsudp_" + name)
		require.NoError(t, err)
		assert.Equal(t, want, m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value, name)
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
