package metricsudp

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"golang.org/x/sys/unix"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
)

// senderEnv makes the test binary a sender: address, number of lines, lines per
// second, bytes per datagram.
const senderEnv = "METRICSUDP_BENCH_SENDER"

// BenchmarkLoopback receives from another process over loopback, so that the CPU
// time of this one is the receiver's: sockets, aggregation, a flush every second
// and the OTLP batch. One operation is one line of 71 bytes with 4 tags, of 1,000
// counters.
func BenchmarkLoopback(b *testing.B) {
	for _, bench := range []struct {
		name          string
		readers, rate int
		bytes         int
	}{
		{"packed/readers=1", 1, 1_000_000, 1432},
		{"packed/readers=2", 2, 1_000_000, 1432},
		{"packed-fast/readers=2", 2, 3_000_000, 1432},
		{"packed-slow/readers=1", 1, 100_000, 1432},
		{"single/readers=1", 1, 100_000, 1},
	} {
		b.Run(bench.name, func(b *testing.B) { benchmarkLoopback(b, bench.readers, bench.rate, bench.bytes) })
	}
}

func benchmarkLoopback(b *testing.B, readers, rate, bytes int) {
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint, cfg.Readers, cfg.AggregationInterval = "127.0.0.1:0", readers, time.Second
	telemetry := componenttest.NewTelemetry()
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	r, err := newReceiver(set, cfg, consumertest.NewNop())
	require.NoError(b, err)
	require.NoError(b, r.Start(context.Background(), componenttest.NewNopHost()))

	sender := exec.Command(os.Args[0], "-test.run", "^TestSenderProcess$") // this binary
	sender.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d", senderEnv, r.addr(), b.N, rate, bytes))
	before := cpuTime(b)
	b.ResetTimer()
	out, err := sender.CombinedOutput()
	require.NoError(b, err, "%s", out)
	require.NoError(b, r.Shutdown(context.Background()))
	b.StopTimer()
	used := cpuTime(b) - before

	lines := sumOf(countedIn(b, telemetry, "lines", "type"))
	drops := sumOf(countedIn(b, telemetry, "kernel_drops", ""))
	b.ReportMetric(float64(used.Nanoseconds())/float64(max(lines, 1)), "cpu-ns/line")
	b.ReportMetric(float64(lines)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(drops), "dropped-datagrams")
	require.NoError(b, telemetry.Shutdown(context.Background()))
}

func cpuTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestSenderProcess is the sender of the benchmark, not a test.
func TestSenderProcess(t *testing.T) {
	spec, ok := os.LookupEnv(senderEnv)
	if !ok {
		t.Skip("only as the benchmark's sender")
	}
	require.NoError(t, sendLines(spec))
}

// sendLines writes n lines at a rate, as full datagrams of up to size bytes.
func sendLines(spec string) error {
	f := strings.Fields(spec)
	n, _ := strconv.Atoi(f[1])
	rate, _ := strconv.Atoi(f[2])
	size, _ := strconv.Atoi(f[3])
	conn, err := net.Dial("udp", f[0])
	if err != nil {
		return err
	}
	var datagrams [][]byte
	var lines []int
	for i := range 1000 {
		line := fmt.Sprintf("service.requests.%03d:1|c|#env:prod,region:eu1,pod:p-%05d,code:200", i, i)
		if last := len(datagrams) - 1; last >= 0 && len(datagrams[last])+1+len(line) <= size {
			datagrams[last] = append(append(datagrams[last], '\n'), line...)
			lines[last]++
		} else {
			datagrams, lines = append(datagrams, []byte(line)), append(lines, 1)
		}
	}
	started := time.Now()
	for sent, i := 0, 0; sent < n; i = (i + 1) % len(datagrams) {
		if _, err := conn.Write(datagrams[i]); err != nil {
			return err
		}
		sent += lines[i]
		if ahead := time.Duration(float64(sent)/float64(rate)*1e9) - time.Since(started); ahead > time.Millisecond {
			time.Sleep(ahead)
		}
	}
	return nil
}
