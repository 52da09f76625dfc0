package e2e

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// loaded is the durable gateway, with StatsD in addition to OTLP.
const loaded = `
receivers:
  metricsudp: {endpoint: "${env:METRICSUDP_ENDPOINT}", temporality: delta, aggregation_interval: 1s, socket_buffer_size: 8388608}
service: {pipelines: {metrics: {receivers: [otlp, metricsudp]}}}
`

// bare is the same configuration without the processors and the exporter of this distribution.
const bare = `
processors: {bucketing: {}, cardinalitylimit: {}}
exporters:
  otlp_grpc: {endpoint: "${env:OTLP_ENDPOINT}", tls: {insecure: true}, sending_queue: {wait_for_result: true, num_consumers: 1, queue_size: 2048, batch: {sizer: items, min_size: 512, max_size: 512, flush_timeout: 5ms}}}
service: {pipelines: {metrics: {receivers: [otlp], processors: [memory_limiter], exporters: [otlp_grpc]}}}
`

// isLong reports whether the load is the full one, which needs the whole machine: make load.
func isLong() bool { return os.Getenv("LOAD") != "" }

// maxOthers is the share of the cores that other processes may use if the targets are asserted.
const maxOthers = 0.05

// busyTime returns the CPU time that all processes have used: proc(5), the first line of /proc/stat without idle and iowait.
func busyTime(t *testing.T) (busy time.Duration) {
	t.Helper()
	content, err := os.ReadFile("/proc/stat")
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(content), "\n")
	const user, idle, iowait, guest = 1, 4, 5, 9
	for i, field := range strings.Fields(first) {
		if i < user || i == idle || i == iowait || i >= guest { // a guest's time is in user as well
			continue
		}
		ticks, err := strconv.ParseInt(field, 10, 64)
		require.NoError(t, err)
		busy += time.Duration(ticks) * time.Second / userHertz
	}
	return busy
}

// ownTime returns the CPU time of this process.
func ownTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// figures are the measurements of a load.
type figures struct {
	grpc, http load.OTLPLedger
	udp        load.Ledger
	cpu        float64 // of the gateway, 1 is all cores
	others     float64 // CPU of processes that are neither the gateway nor this one, 1 is all cores
	peakRSS    int64
}

func (f figures) due() uint64 {
	return f.grpc.Requests + f.grpc.Unsent + f.http.Requests + f.http.Unsent
}

func (f figures) rate() float64 { return f.grpc.RequestsPerSecond + f.http.RequestsPerSecond }

func (f figures) errorRatio() float64 {
	answered := f.grpc.Acknowledged + f.http.Acknowledged
	return float64(f.due()-answered) / float64(f.due())
}

func (f figures) String() string {
	return fmt.Sprintf("%.0f OTLP requests/s acknowledged, %.0f lines/s, P95 %.1f ms over gRPC and %.1f ms over HTTP, errors %.3f %%, CPU %.0f %%, RSS at most %d MiB; other processes used %.0f %% of the cores",
		f.rate(), f.udp.LinesPerSecond, f.grpc.P95, f.http.P95, 100*f.errorRatio(), 100*f.cpu, f.peakRSS>>20, 100*f.others)
}

// drive sends as send does, and measures the CPU time of all processes meanwhile.
func (g *gateway) drive(t *testing.T, requests float64, points int, lines float64, duration time.Duration) figures {
	t.Helper()
	before, began, machine, self := g.usage(), time.Now(), busyTime(t), ownTime(t)
	f := g.send(t, requests, points, lines, duration)
	cores := time.Since(began).Seconds() * float64(runtime.NumCPU())
	gateway := (g.usage().cpu - before.cpu).Seconds()
	f.cpu = gateway / cores
	f.others = ((busyTime(t) - machine - ownTime(t) + self).Seconds() - gateway) / cores
	f.peakRSS = g.peakRSS()
	return f
}

// send sends OTLP requests of so many points, and lines, at the same time. The rates are per second; 0 is as fast as it goes, or no
// lines. Two thirds of the requests go over gRPC, the others over HTTP.
func (g *gateway) send(t *testing.T, requests float64, points int, lines float64, duration time.Duration) (f figures) {
	t.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	otlp := func(ledger *load.OTLPLedger, protocol, endpoint string, share float64) {
		p := load.DefaultOTLPProfile()
		p.Protocol, p.Endpoint, p.Prefix, p.Duration = protocol, endpoint, "load."+protocol, duration
		p.Rate, p.Series, p.Points = requests*share, 400, points
		// One request under way per connection. 32 requests under way could not be more than 6,400 per second: the
		// gateway's batch waits up to 5 ms for others.
		p.Connections = int(200*share + 0.5)
		p.Workers = p.Connections
		wg.Go(func() {
			var err error
			*ledger, err = load.RunOTLP(t.Context(), p, func(n uint64) { t.Logf("%s: %d requests after %v", protocol, n, time.Since(began).Round(time.Second)) })
			assert.NoError(t, err)
		})
	}
	otlp(&f.grpc, load.OTLPOverGRPC, g.grpc, 2.0/3)
	otlp(&f.http, load.OTLPOverHTTP, g.http, 1.0/3)
	if lines > 0 {
		p := load.DefaultProfile()
		p.Endpoint, p.Rate, p.Duration, p.Types, p.Series = g.udp, lines, duration, []string{"c"}, 400
		wg.Go(func() {
			var err error
			f.udp, err = load.Run(t.Context(), p, func(n uint64) { t.Logf("udp: %d lines after %v", n, time.Since(began).Round(time.Second)) })
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	return f
}

// missed returns the targets of R11 that the load has missed.
func (f figures) missed() (targets []string) {
	for name, got := range map[string]struct {
		met bool
		got any
	}{
		"other processes must use less than 5 % of the cores": {f.others < maxOthers, f.others},
		"P95 over gRPC must be below 100 ms":                  {f.grpc.P95 < 100, f.grpc.P95},
		"P95 over HTTP must be below 100 ms":                  {f.http.P95 < 100, f.http.P95},
		"requests per second must be above 10,000":            {f.rate() > 10_000, f.rate()},
		"CPU must be below 70 %":                              {f.cpu < 0.7, f.cpu},
		"errors must be below 0.1 %":                          {f.errorRatio() < 0.001, f.errorRatio()},
	} {
		if !got.met {
			targets = append(targets, fmt.Sprintf("%s (got %v)", name, got.got))
		}
	}
	return targets
}

// TestLoad: OTLP over gRPC and HTTP, and lines over UDP, at the same time. With LOAD set, the load is that of R11, in small
// requests, and all of its targets must be met at once in one of three rounds: other guests of the machine's host can slow a round
// down unseen.
func TestLoad(t *testing.T) {
	if !isLong() {
		testLoad(t, 300, 10, 2_000, 2*time.Second)
		return
	}
	var missed []string
	for range 3 {
		if missed = testLoad(t, 12_000, 1, 10_000, time.Minute).missed(); len(missed) == 0 {
			return
		}
		t.Logf("missed: %q", missed)
	}
	assert.Empty(t, missed)
}

// TestLoadOfPoints: the same with ten times the points. It asserts no targets: one batch of 512 points at a time is on the way to
// the backend, so its answers limit the rate.
func TestLoadOfPoints(t *testing.T) {
	if !isLong() {
		t.Skip("make load")
	}
	testLoad(t, 12_000, 10, 10_000, time.Minute)
}

// testLoad checks that the backend has exactly what was acknowledged and what was sent.
func testLoad(t *testing.T, requests float64, points int, lines float64, duration time.Duration) figures {
	t.Helper()
	g := newGateway(t, "gateway.yaml", loaded)
	b := startSums(t, g.backend)
	g.start()
	f := g.drive(t, requests, points, lines, duration)
	t.Log(f)
	for metric, want := range map[string]float64{
		f.grpc.Metric: f.grpc.AcknowledgedSum, f.http.Metric: f.http.AcknowledgedSum, "load.counter": f.udp.Metrics["load.counter"].Sum,
	} {
		require.Positive(t, want, metric)
		eventually(t, fmt.Sprintf("%s arrives with %v", metric, want), func() bool { return b.sum(metric) == want })
	}
	assert.Zero(t, f.grpc.Failed+f.http.Failed, "a request without an answer may have arrived")
	assert.Less(t, f.peakRSS, int64(512_000_000))
	g.stop()
	return f
}

// TestLoadOfLines: 50,000 lines per second lose nothing.
func TestLoadOfLines(t *testing.T) {
	if !isLong() {
		t.Skip("make load")
	}
	g := newGateway(t, "gateway.yaml", loaded)
	b := startSums(t, g.backend)
	g.start()
	p := load.DefaultProfile()
	p.Endpoint, p.Rate, p.Duration, p.Types, p.Series = g.udp, 50_000, 30*time.Second, []string{"c"}, 400
	ledger, err := load.Run(t.Context(), p, func(n uint64) { t.Logf("%d lines", n) })
	require.NoError(t, err)
	eventually(t, "every line arrives", func() bool { return b.sum("load.counter") == ledger.Metrics["load.counter"].Sum })
	assert.Zero(t, g.count("kernel_drops"))
	t.Logf("%.0f lines/s, none lost, RSS at most %d MiB", ledger.LinesPerSecond, g.peakRSS()>>20)
	g.stop()
}

// TestLoadBesideTheBarePipeline: a gateway with the three components, and one without, each as fast as it goes. Both run at the same time,
// since the speed of the machine changes by a third within a minute. With full cores a rate is the inverse of the CPU time that gateway,
// sender and backend need for a request. One process can be a percent faster than another one of the same binary for as long as it
// runs, so there are three pairs. Each has a round to warm up.
func TestLoadBesideTheBarePipeline(t *testing.T) {
	if !isLong() {
		t.Skip("make load")
	}
	start := func(overlay string) *gateway {
		g := newGateway(t, "gateway.yaml", overlay)
		startSink(t, g.backend)
		g.start()
		return g
	}
	var ratios []float64
	for range 3 {
		with, without := start(loaded), start(bare)
		driveBoth(t, with, without, 16*time.Second) // the first flush is after 15 s
		for range 5 {
			ratios = append(ratios, driveBoth(t, with, without, 8*time.Second))
		}
		with.stop()
		without.stop()
	}
	slices.Sort(ratios)
	t.Logf("with the three components %.3f of the rate without (%.3f to %.3f)", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	assert.GreaterOrEqual(t, ratios[len(ratios)/2], 0.95)
}

// driveBoth returns the rate of a gateway as a share of the rate of another one, from their CPU times per request.
func driveBoth(t *testing.T, with, without *gateway, duration time.Duration) float64 {
	t.Helper()
	gateways := []*gateway{with, without}
	self := ownTime(t)
	before := []time.Duration{with.usage().cpu, without.usage().cpu}
	sent := make([]figures, len(gateways))
	var wg sync.WaitGroup
	for i, g := range gateways {
		wg.Go(func() { sent[i] = g.send(t, 0, 10, 0, duration) })
	}
	wg.Wait()
	var requests float64
	perRequest := make([]float64, len(gateways)) // CPU seconds
	for i, g := range gateways {
		acknowledged := float64(sent[i].grpc.Acknowledged + sent[i].http.Acknowledged)
		require.Positive(t, acknowledged)
		requests += acknowledged
		perRequest[i] = (g.usage().cpu - before[i]).Seconds() / acknowledged
	}
	others := (ownTime(t) - self).Seconds() / requests
	t.Logf("us per request: gateways %.1f and %.1f, sender and backend %.1f", 1e6*perRequest[0], 1e6*perRequest[1], 1e6*others)
	return (perRequest[1] + others) / (perRequest[0] + others)
}

// TestLoadOfComponents: at 10,000 lines per second, and with the receiver's defaults, the components of this distribution use less
// than 1 % of one core, according to a profile of the gateway.
func TestLoadOfComponents(t *testing.T) {
	if !isLong() {
		t.Skip("make load")
	}
	g := newGateway(t, "gateway.yaml", `
receivers: {metricsudp: {endpoint: "${env:METRICSUDP_ENDPOINT}", temporality: delta}}
service: {pipelines: {metrics: {receivers: [otlp, metricsudp]}}}
`)
	startSink(t, g.backend)
	g.start()
	const profiled = 2 * time.Minute // a sample stands for 10 ms, so 1 % of a core is 120 samples
	p := load.DefaultProfile()
	p.Endpoint, p.Rate, p.Duration, p.Series = g.udp, 10_000, profiled+5*time.Second, 400
	var sending sync.WaitGroup
	sending.Go(func() {
		_, err := load.Run(t.Context(), p, nil)
		assert.NoError(t, err)
	})
	before, began := g.usage(), time.Now()
	share := g.profile(t, profiled)
	all := (g.usage().cpu - before.cpu).Seconds() / time.Since(began).Seconds()
	sending.Wait()
	t.Logf("of one core: components %.2f %%, of them %v; the whole process %.2f %%", 100*share.components, share, 100*all)
	assert.Positive(t, share.components)
	assert.Less(t, share.components, 0.01)
	g.stop()
}
