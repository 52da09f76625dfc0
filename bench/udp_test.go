package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/statsdreceiver"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp"
)

// senderProfile makes this binary, started again, the sender: its CPU time is not the receiver's.
const senderProfile = "BENCH_SENDER_PROFILE"

func TestMain(m *testing.M) {
	profile := os.Getenv(senderProfile)
	if profile == "" {
		os.Exit(m.Run()) //nolint:forbidigo // TestMain is main
	}
	if err := send(profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // TestMain is main
	}
}

func send(profile string) error {
	var p load.Profile
	if err := json.Unmarshal([]byte(profile), &p); err != nil {
		return err
	}
	ledger, err := load.Run(context.Background(), p)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(ledger)
}

// contender is a receiver with its settings.
type contender struct {
	name     string
	factory  receiver.Factory
	settings map[string]any
}

// defaultReceiveBuffer is net.core.rmem_default, which the statsd receiver cannot change. The kernel
// doubles what is asked for, so that half of it gives the same buffer.
const defaultReceiveBuffer = 212992

var contenders = []contender{
	{"metricsudp", metricsudp.NewFactory(), map[string]any{"socket_buffer_size": defaultReceiveBuffer / 2}},
	{"metricsudp-8MiB", metricsudp.NewFactory(), map[string]any{}},
	{"statsd", statsdreceiver.NewFactory(), map[string]any{
		// Its default appends a gauge point for each timing; this is what metricsudp does with them.
		"timer_histogram_mapping": []any{
			map[string]any{"statsd_type": "timing", "observer_type": "histogram", "histogram": map[string]any{"max_size": 160}},
		},
	}},
}

// result of one round of one contender.
type result struct {
	cpu  float64 // us of CPU a line, user and system, of the receiver's process
	lost float64 // share of what the counters sent that did not come out
}

// BenchmarkUDP is the CPU time of a receiver for a line over loopback, parsed, aggregated and
// handed on as OTLP, with the sender in a process of its own.
func BenchmarkUDP(b *testing.B) {
	for _, traffic := range []struct {
		name   string
		change func(*load.Profile)
	}{
		{"packed/counters", func(p *load.Profile) { p.Types = []string{"c"}; p.Rate = 100_000 }},
		{"packed/mix", func(p *load.Profile) { p.Types = []string{"c", "g", "ms"}; p.Rate = 100_000 }},
		{"single/counters", func(p *load.Profile) { p.Types = []string{"c"}; p.Rate = 50_000; p.LinesPerDatagram = 1 }},
	} {
		b.Run(traffic.name, func(b *testing.B) {
			profile := load.DefaultProfile()
			profile.Duration = 3 * time.Second
			traffic.change(&profile)
			results := make([][]result, len(contenders))
			first := 0
			for b.Loop() {
				for i := range contenders {
					at := (first + i) % len(contenders)
					results[at] = append(results[at], contenders[at].run(b, profile))
				}
				first++ // nobody always runs on a warm or a tired machine
			}
			for i, c := range contenders {
				b.ReportMetric(median(results[i], func(r result) float64 { return r.cpu }), c.name+"-us/line")
				b.ReportMetric(100*median(results[i], func(r result) float64 { return r.lost }), c.name+"-lost-%")
			}
			b.ReportMetric(0, "ns/op") // a round's length is the profile's
		})
	}
}

func median(results []result, of func(result) float64) float64 {
	values := make([]float64, 0, len(results))
	for _, r := range results {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// run sends the profile to the receiver and waits until its counters have come out.
func (c contender) run(b *testing.B, profile load.Profile) result {
	profile.Endpoint = freeUDPAddress(b)
	cfg := c.factory.CreateDefaultConfig()
	settings := confmap.NewFromStringMap(c.settings)
	require.NoError(b, settings.Merge(confmap.NewFromStringMap(map[string]any{
		"endpoint": profile.Endpoint, "aggregation_interval": "1s",
	})))
	require.NoError(b, settings.Unmarshal(cfg))

	counted := make(chan float64, 64)
	sink, err := consumer.NewMetrics(func(_ context.Context, m pmetric.Metrics) error {
		counted <- sumOfDeltas(m)
		return nil
	})
	require.NoError(b, err)
	r, err := c.factory.CreateMetrics(b.Context(), receivertest.NewNopSettings(c.factory.Type()), cfg, sink)
	require.NoError(b, err)
	require.NoError(b, r.Start(b.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(b, r.Shutdown(context.WithoutCancel(b.Context()))) }()

	before := cpuTime(b)
	text, err := json.Marshal(profile)
	require.NoError(b, err)
	sender := exec.CommandContext(b.Context(), os.Args[0])
	sender.Env = append(os.Environ(), senderProfile+"="+string(text))
	sender.Stderr = os.Stderr
	output := make(chan load.Ledger, 1)
	go func() {
		var ledger load.Ledger
		if stdout, err := sender.Output(); err != nil || json.Unmarshal(stdout, &ledger) != nil {
			b.Errorf("sender: %v", err)
		}
		output <- ledger
	}()

	var (
		got      float64
		ledger   load.Ledger
		deadline <-chan time.Time // three intervals after the last datagram: what has not come out is lost
	)
	for ledger.Lines == 0 || got < ledger.Metrics["load.counter"].Sum {
		select {
		case ledger = <-output:
			require.NotZero(b, ledger.Lines)
			deadline = time.After(3 * time.Second)
			continue
		case n := <-counted:
			got += n
			continue
		case <-deadline:
		}
		break
	}
	sent := ledger.Metrics["load.counter"].Sum
	return result{
		cpu:  (cpuTime(b) - before).Seconds() * 1e6 / float64(ledger.Lines),
		lost: 1 - got/sent,
	}
}

func sumOfDeltas(m pmetric.Metrics) (sum float64) {
	for _, rm := range m.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				if metric.Type() != pmetric.MetricTypeSum {
					continue
				}
				for _, p := range metric.Sum().DataPoints().All() {
					sum += float64(p.IntValue())
				}
			}
		}
	}
	return sum
}

// cpuTime is what this process used, its finished children not included.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func freeUDPAddress(b *testing.B) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(b, err)
	defer conn.Close()
	return conn.LocalAddr().String()
}
