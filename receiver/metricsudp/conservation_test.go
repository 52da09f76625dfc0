package metricsudp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

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
		assert.Equal(t, want, harness.Value(t, r.telemetry.Reader, "otelcol_receiver_"+name+"_metric_points"), name)
	}
}
