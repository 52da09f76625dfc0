package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// TestPrometheusOutage: a Prometheus without an out-of-order window accepts remote write through fallbacklog in its default
// order. It ends twice under load, once by SIGTERM and once by SIGKILL, and restarts with its own data. Each time the gateway
// ends too. After the log is drained, Prometheus has refused nothing, and has every acknowledged sample of every series, with
// its time and value.
func TestPrometheusOutage(t *testing.T) {
	p := newRestartable(t)
	g := newGateway(t, "quickstart.yaml", fmt.Sprintf(`
exporters:
  fallbacklog/remote:
    exporter:
      prometheus_remote_write:
        endpoint: http://%s/api/v1/write
        translation_strategy: UnderscoreEscapingWithoutSuffixes
    circuit_breaker: {open_interval: 200ms, max_open_interval: 500ms}
    log: {directory: "${env:FALLBACKLOG_DIRECTORY}"}
service:
  pipelines:
    metrics: {processors: [memory_limiter], exporters: [forward/page, fallbacklog/remote]}
`, p.address))
	p.start()
	g.start()

	const each = 200 // reports of an instance in every part of the test
	var (
		instances = []*instance{newInstance(t, g, "a"), newInstance(t, g, "b")}
		done      = make(chan struct{})
		wg        sync.WaitGroup
	)
	for _, i := range instances {
		wg.Go(func() { i.run(done) })
	}
	stop := sync.OnceFunc(func() {
		close(done)
		wg.Wait()
	})
	t.Cleanup(stop)
	more := func(what string) {
		t.Helper()
		before := []int{instances[0].acknowledged(), instances[1].acknowledged()}
		eventually(t, what, func() bool {
			return instances[0].acknowledged() >= before[0]+each && instances[1].acknowledged() >= before[1]+each
		})
	}
	delivered := func(path string) float64 {
		return g.own("otelcol_exporter_fallbacklog_delivered_items_total", "path", path)
	}

	for _, o := range []struct {
		prometheus syscall.Signal
		gateway    func()
	}{{syscall.SIGTERM, g.stop}, {syscall.SIGKILL, g.kill}} {
		more("reports before the outage")
		assert.Positive(t, delivered("direct"))
		p.refusedNothing()
		p.end(o.prometheus)
		more("reports in the outage")
		assert.InDelta(t, breakerOpen, g.own(breakerState), 0)
		assertNothingLost(t, g)
		o.gateway()
		g.start()
		more("reports behind the restarted gateway")
		p.start()
		eventually(t, "the log drains under load", func() bool {
			return g.own(breakerState) == breakerClosed && g.own("otelcol_exporter_fallbacklog_segments") == 0
		})
		assert.Positive(t, delivered("replayed"))
	}
	more("reports after the outage")
	stop()
	eventually(t, "the log is drained", func() bool { return g.own("otelcol_exporter_fallbacklog_bytes_on_disk") == 0 })

	p.refusedNothing()
	assertNothingLost(t, g)
	dead, err := filepath.Glob(filepath.Join(g.log, "*", "*", "dead-letter", "*.jsonl"))
	require.NoError(t, err)
	assert.Empty(t, dead)
	samples, maybe := 0, 0
	for _, i := range instances {
		acknowledged, unsure := i.compare(t, p)
		samples, maybe = samples+acknowledged, maybe+unsure
	}
	g.stop()
	t.Logf("%d samples acknowledged over two outages: Prometheus has them all and has refused none; it has %d of those whose answer was lost", samples, maybe)
}

// assertNothingLost asserts that everything in the ledger is delivered or logged.
func assertNothingLost(t *testing.T, g *gateway) {
	t.Helper()
	for _, name := range []string{"dropped", "dead_letter", "rejected", "expired"} {
		metric := "otelcol_exporter_fallbacklog_" + name + "_items_total"
		assert.Zero(t, g.own(metric), metric)
	}
}

// restartable is a Prometheus that keeps its address and its data. It scrapes nothing.
type restartable struct {
	*prometheus
	flags []string
	cmd   *exec.Cmd
}

func newRestartable(t *testing.T) *restartable {
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	address := freeAddresses(t, 1)[0]
	return &restartable{&prometheus{t, address}, []string{
		"--config.file=" + file,
		"--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + address,
		"--web.enable-remote-write-receiver",
	}, nil}
}

func (p *restartable) start() {
	p.t.Helper()
	path, err := exec.LookPath("prometheus")
	require.NoError(p.t, err, "Prometheus is needed: run 'make deps'")
	p.cmd = exec.Command(path, p.flags...)
	startServer(p.t, p.address, "/-/ready", p.cmd)
}

// end waits until the process is gone.
func (p *restartable) end(signal syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(signal))
	err := p.cmd.Wait()
	if signal == syscall.SIGTERM {
		require.NoError(p.t, err)
	}
}

// refusedNothing reads Prometheus's own counters since its last start.
func (p *restartable) refusedNothing() {
	p.t.Helper()
	for _, counter := range []string{
		"prometheus_tsdb_out_of_order_samples_total",
		"prometheus_tsdb_out_of_bound_samples_total",
		"prometheus_tsdb_too_old_samples_total",
	} {
		found := scrape(p.t, p.address, counter)
		require.NotEmpty(p.t, found, counter)
		for _, s := range found {
			assert.Zero(p.t, s.value, "%s%v", counter, s.labels)
		}
	}
	took := 0.0
	for _, s := range scrape(p.t, p.address, "prometheus_http_requests_total") {
		if s.labels["handler"] == "/api/v1/write" {
			assert.Contains(p.t, []string{"200", "204"}, s.labels["code"])
			took += s.value
		}
	}
	assert.Positive(p.t, took)
}

// raw returns the stored samples of the last hour, by series.
func (p *restartable) raw(ctx context.Context, selector string) map[string][]point {
	p.t.Helper()
	series := map[string][]point{}
	for _, s := range p.matrix(ctx, selector+"[1h]") {
		key := sampledSeries(s.labels["__name__"], s.labels["user"], s.labels["le"])
		require.NotContains(p.t, series, key)
		series[key] = s.points
	}
	return series
}

func sampledSeries(name, user, le string) string { return name + "{" + user + "," + le + "}" }

// instance is an application that reports cumulative counters and histograms, one report after the other, with their ledger.
type instance struct {
	t      *testing.T
	name   string
	client pmetricotlp.GRPCClient
	began  time.Time

	mu     sync.Mutex
	lastMs int64
	value  int64
	acked  int
	sent   map[string]map[int64]sent // by series and time
}

type sent struct {
	value float64
	acked bool // otherwise the answer was lost, or a refusal
}

const instanceUsers = 5

var instanceBounds = []float64{1, 10, 100}

func newInstance(t *testing.T, g *gateway, name string) *instance {
	conn, err := grpc.NewClient(g.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &instance{
		t: t, name: name, client: pmetricotlp.NewGRPCClient(conn), began: time.Now(), sent: map[string]map[int64]sent{},
	}
}

func (i *instance) acknowledged() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.acked
}

// run reports until done, even while the gateway is down.
func (i *instance) run(done <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			i.report()
		}
	}
}

func (i *instance) report() {
	i.mu.Lock()
	i.value++
	i.lastMs = max(i.lastMs+1, time.Now().UnixMilli()) // a sample of a series has a time of its own
	at, value := i.lastMs, i.value
	i.mu.Unlock()

	reported := map[string]float64{}
	request := pmetricotlp.NewExportRequestFromMetrics(i.metrics(at, value, reported))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := i.client.Export(ctx, request)

	i.mu.Lock()
	defer i.mu.Unlock()
	for series, v := range reported {
		if i.sent[series] == nil {
			i.sent[series] = map[int64]sent{}
		}
		i.sent[series][at] = sent{v, err == nil}
	}
	if err == nil {
		i.acked++
	}
}

// metrics returns one report, and notes the samples that Prometheus makes of it, by series.
func (i *instance) metrics(ms, value int64, reported map[string]float64) pmetric.Metrics {
	var (
		md    = pmetric.NewMetrics()
		rm    = md.ResourceMetrics().AppendEmpty()
		all   = rm.ScopeMetrics().AppendEmpty().Metrics()
		at    = pcommon.NewTimestampFromTime(time.UnixMilli(ms))
		start = pcommon.NewTimestampFromTime(i.began)
	)
	rm.Resource().Attributes().PutStr("service.name", "orders")
	rm.Resource().Attributes().PutStr("service.instance.id", i.name)
	sum := all.AppendEmpty()
	sum.SetName("orders")
	sum.SetEmptySum().SetIsMonotonic(true)
	sum.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	histogram := all.AppendEmpty()
	histogram.SetName("took")
	histogram.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for u := range int64(instanceUsers) {
		user := fmt.Sprint(u)
		c := sum.Sum().DataPoints().AppendEmpty()
		c.SetIntValue(value * (u + 1))
		c.SetStartTimestamp(start)
		c.SetTimestamp(at)
		c.Attributes().PutStr("user", user)
		reported[sampledSeries("orders", user, "")] = float64(value * (u + 1))

		h := histogram.Histogram().DataPoints().AppendEmpty()
		h.SetStartTimestamp(start)
		h.SetTimestamp(at)
		h.Attributes().PutStr("user", user)
		h.ExplicitBounds().FromRaw(instanceBounds)
		cumulative := uint64(0)
		for b := range len(instanceBounds) + 1 {
			count := uint64(value) * uint64(b+1)
			h.BucketCounts().Append(count)
			cumulative += count
			le := "+Inf"
			if b < len(instanceBounds) {
				le = strconv.FormatFloat(instanceBounds[b], 'g', -1, 64)
			}
			reported[sampledSeries("took_bucket", user, le)] = float64(cumulative)
		}
		h.SetCount(cumulative)
		h.SetSum(float64(value) / 4)
		reported[sampledSeries("took_count", user, "")] = float64(cumulative)
		reported[sampledSeries("took_sum", user, "")] = float64(value) / 4
	}
	return md
}

// compare compares the samples that Prometheus has of the instance with the ledger: all acknowledged ones and no sample that
// was not sent, each with its value. It returns the number of acknowledged samples, and the number of other samples that
// arrived.
func (i *instance) compare(t *testing.T, p *restartable) (acknowledged, others int) {
	t.Helper()
	stored := p.raw(withTimeout(t), fmt.Sprintf(`{__name__=~"orders|took_.*",instance=%q}`, i.name))
	require.Len(t, stored, len(i.sent), "series of instance %s", i.name)
	for series, ledger := range i.sent {
		for _, s := range stored[series] {
			want, ok := ledger[s.ms]
			require.True(t, ok, "%s of %s has a sample at %d that nobody sent", series, i.name, s.ms)
			require.InDelta(t, want.value, s.value, 0, "%s of %s at %d", series, i.name, s.ms)
			if !want.acked {
				others++
			}
			delete(ledger, s.ms)
		}
		acknowledged += len(stored[series])
		for ms, missing := range ledger {
			require.False(t, missing.acked, "%s of %s at %d was acknowledged and is not in Prometheus", series, i.name, ms)
		}
	}
	return acknowledged - others, others
}
