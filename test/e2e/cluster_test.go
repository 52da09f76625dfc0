package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
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

	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

// clusterRun has several gateways with one store of places and one backend, behind a balancer that chooses a gateway for each
// request.
type clusterRun struct {
	t       *testing.T // of the step
	whole   *testing.T
	store   *storetest.Server
	backend *recorder
	address string // of the backend
	random  *rand.Rand
	overlay []string // configuration of all gateways

	members []*clusterMember
	sent    map[string]int64 // acknowledged points, by metric
	slowest time.Duration    // request
}

type clusterMember struct {
	*gateway
	client pmetricotlp.GRPCClient
	away   bool // the balancer does not choose it
}

const clusterLimit = 500

func newClusterRun(t *testing.T, n int, overlay ...string) *clusterRun {
	r := &clusterRun{
		t: t, whole: t, store: storetest.Start(t), address: freeAddresses(t, 1)[0],
		random: rand.New(rand.NewPCG(11, 5)), sent: make(map[string]int64), overlay: overlay,
	}
	r.backend = startRecorder(t, r.address)
	for i := range n {
		r.add(fmt.Sprint("gateway-", i), clusterLimit)
	}
	r.await("all gateways know each other", func(m *clusterMember) bool {
		return m.own("otelcol_processor_cardinalitylimit_cluster_gateways") == float64(n)
	})
	return r
}

// add starts one more gateway.
func (r *clusterRun) add(name string, limit int) {
	overlays := append([]string{fmt.Sprintf(`
extensions:
  file_storage: {directory: %q, create_directory: true}
processors:
  cardinalitylimit:
    instance_id: %s
    storage: file_storage
    limits:
      - {name: metric, key: [resource.service.name, metric.name], max_series: %d}
    admission: {contested_at: 1}
    reaggregate: {flush_interval: 300ms}
    cluster:
      redis: {endpoints: [%q]}
      timeout: 200ms
      refresh: 500ms
service:
  extensions: [health_check, pprof, zpages, file_storage]
`, r.whole.TempDir(), name, limit, r.store.Addr)}, r.overlay...)
	g := newGateway(r.whole, "gateway.yaml", overlays...)
	g.env["OTLP_ENDPOINT"] = r.address
	g.start()
	m := &clusterMember{gateway: g}
	m.dial()
	r.members = append(r.members, m)
}

// dial connects a client. A gateway that was killed needs another client.
func (m *clusterMember) dial() {
	conn, err := grpc.NewClient(m.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(m.t, err)
	m.t.Cleanup(func() { _ = conn.Close() })
	m.client = pmetricotlp.NewGRPCClient(conn)
}

func (r *clusterRun) live() (live []*clusterMember) {
	for _, m := range r.members {
		if !m.away {
			live = append(live, m)
		}
	}
	return live
}

func (r *clusterRun) await(what string, reached func(m *clusterMember) bool) {
	r.t.Helper()
	for _, m := range r.live() {
		eventually(r.t, what, func() bool { return reached(m) })
	}
}

func (r *clusterRun) awaitState(state float64) {
	r.t.Helper()
	r.await(fmt.Sprint("state ", state), func(m *clusterMember) bool {
		return m.own("otelcol_processor_cardinalitylimit_cluster_state") == state
	})
}

// report sends one delta of 1 for each series, in requests of 50 in random order to random gateways.
func (r *clusterRun) report(metric string, series int, rounds int) {
	r.t.Helper()
	live := r.live()
	for range rounds {
		order := r.random.Perm(series)
		for first := 0; first < series; first += 50 {
			r.send(live[r.random.IntN(len(live))], metric, order[first:min(first+50, series)])
		}
	}
}

func (r *clusterRun) send(to *clusterMember, metric string, series []int) {
	r.t.Helper()
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "orders")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(metric)
	m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	m.Sum().SetIsMonotonic(true)
	now := time.Now()
	for _, s := range series {
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetIntValue(1)
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Second)))
		p.SetTimestamp(pcommon.NewTimestampFromTime(now))
		p.Attributes().PutStr("id", fmt.Sprint(s))
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	_, err := to.client.Export(ctx, pmetricotlp.NewExportRequestFromMetrics(md))
	require.NoError(r.t, err)
	r.slowest = max(r.slowest, time.Since(now))
	r.sent[metric] += int64(len(series))
}

// account is the content of the backend for one metric.
type account struct {
	sum      int64
	passed   map[string]int64 // by series
	overflow map[string]int64 // by gateway
}

func (r *clusterRun) account(metric string) account {
	a := account{passed: make(map[string]int64), overflow: make(map[string]int64)}
	r.backend.mu.Lock()
	defer r.backend.mu.Unlock()
	for _, md := range r.backend.metrics {
		for _, rm := range md.ResourceMetrics().All() {
			instance, _ := rm.Resource().Attributes().Get("service.instance.id")
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != metric {
						continue
					}
					for _, p := range m.Sum().DataPoints().All() {
						a.sum += p.IntValue()
						if id, ok := p.Attributes().Get("id"); ok {
							a.passed[id.Str()] += p.IntValue()
						} else {
							a.overflow[instance.Str()] += p.IntValue()
						}
					}
				}
			}
		}
	}
	return a
}

// settled waits until everything that was sent has arrived, and returns the account.
func (r *clusterRun) settled(metric string) (a account) {
	r.t.Helper()
	eventually(r.t, "all of "+metric+" has arrived", func() bool {
		a = r.account(metric)
		require.LessOrEqual(r.t, a.sum, r.sent[metric], "nothing counts twice")
		return a.sum == r.sent[metric]
	})
	return a
}

// keepsIncumbents reports the first clusterLimit series of a metric, and requires that each of them passes every time.
func (r *clusterRun) keepsIncumbents(metric string, rounds int) {
	r.t.Helper()
	before := r.settled(metric)
	ids := make([]int, 0, len(before.passed))
	for id := range before.passed {
		var n int
		_, err := fmt.Sscan(id, &n)
		require.NoError(r.t, err)
		ids = append(ids, n)
	}
	live := r.live()
	for range rounds {
		r.random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		for first := 0; first < len(ids); first += 50 {
			r.send(live[r.random.IntN(len(live))], metric, ids[first:min(first+50, len(ids))])
		}
	}
	after := r.settled(metric)
	refused := 0
	for id, n := range before.passed {
		refused += rounds - int(after.passed[id]-n)
	}
	assert.Zero(r.t, refused, "incumbents were refused")
	assert.Len(r.t, after.passed, len(before.passed))
}

// TestCluster: one limit for three gateways behind a balancer that chooses a gateway for each request, with every failure of
// the store and of the gateways. Every point arrives once, in its series or in an overflow series, and a series with a place
// keeps it.
func TestCluster(t *testing.T) {
	r := newClusterRun(t, 3)
	const many = 1500
	step := func(name string, run func(t *testing.T)) {
		begin := time.Now()
		if !t.Run(name, func(t *testing.T) {
			r.t = t
			r.slowest = 0
			run(t)
		}) {
			t.FailNow()
		}
		t.Logf("%-34s %6.1f s, slowest request %v", name, time.Since(begin).Seconds(), r.slowest.Round(time.Millisecond))
	}
	defer func() { r.t = t }()

	step("deltas", func(t *testing.T) {
		r.report("requests", many, 4)
		a := r.settled("requests")
		assert.Len(t, a.passed, clusterLimit)
		assert.Len(t, a.overflow, 3, "one for each gateway")
		for _, n := range a.passed {
			assert.EqualValues(t, 4, n)
		}
		t.Logf("ledger: sent %d, %d series with %d points, overflow %v", r.sent["requests"], len(a.passed), 4*len(a.passed), a.overflow)
		r.report("jobs", 200, 2)
		require.Len(t, r.settled("jobs").passed, 200)
	})
	step("the store is killed", func(t *testing.T) {
		r.store.Kill()
		r.report("jobs", 200, 1)
		r.report("jobs", many, 3)
		a := r.settled("jobs")
		assert.LessOrEqual(t, len(a.passed), clusterLimit, "each gateway has an equal share of the 300 places that were free")
		assert.Greater(t, len(a.passed), 350)
		t.Logf("%d series have a place: %d were let in while the store was away", len(a.passed), len(a.passed)-200)
		r.keepsIncumbents("requests", 2)
		r.awaitState(1)
		r.slowest = 0
		r.report("requests", many, 1)
		t.Logf("slowest request with the breaker open: %v", r.slowest.Round(time.Millisecond))
	})
	step("it is back, and empty", func(t *testing.T) {
		r.store.Restart()
		r.awaitState(0)
		r.keepsIncumbents("requests", 2)
		before := len(r.settled("jobs").passed)
		r.report("jobs", many, 2)
		a := r.settled("jobs")
		t.Logf("jobs: %d series before, %d after", before, len(a.passed))
		assert.LessOrEqual(t, len(a.passed), 2*clusterLimit)
		r.await("a line in the log", func(m *clusterMember) bool {
			return strings.Contains(m.output.String(), "The store of places answers")
		})
	})
	step("FLUSHALL", func(t *testing.T) {
		before := len(r.settled("requests").passed)
		c := r.store.Client()
		r.store.Do(c, "FLUSHALL")
		r.keepsIncumbents("requests", 2)
		r.await("the store knows the members again", func(m *clusterMember) bool {
			r.report("requests", many, 1)
			return m.own("otelcol_processor_cardinalitylimit_cluster_losses_total") > 0
		})
		a := r.settled("requests")
		t.Logf("requests: %d series before, %d after", before, len(a.passed))
		assert.LessOrEqual(t, len(a.passed), 2*clusterLimit)
		r.keepsIncumbents("requests", 2)
	})
	step("the store is suspended", func(t *testing.T) {
		r.store.Stop()
		r.report("requests", many, 2)
		r.keepsIncumbents("requests", 2)
		r.awaitState(1)
		assert.Less(t, r.slowest, 20*time.Second)
		r.store.Continue()
		r.awaitState(0)
		r.keepsIncumbents("requests", 1)
	})
	step("a gateway is suspended and wakes", func(t *testing.T) {
		m := r.members[1]
		require.NoError(t, m.cmd.Process.Signal(syscall.SIGSTOP))
		m.away = true
		r.await("two gateways are left", func(m *clusterMember) bool { return m.own("otelcol_processor_cardinalitylimit_cluster_gateways") == 2 })
		r.report("wake", many, 2)
		require.Len(t, r.settled("wake").passed, clusterLimit)
		m.away = false
		require.NoError(t, m.cmd.Process.Signal(syscall.SIGCONT))
		r.keepsIncumbents("wake", 3)
	})
	step("a gateway is killed and another comes", func(*testing.T) {
		r.settled("requests")
		r.members[2].kill()
		r.members[2].away = true
		r.keepsIncumbents("requests", 1)
		r.add("gateway-3", clusterLimit)
		r.keepsIncumbents("requests", 3)
	})
	step("a gateway restarts with storage", func(t *testing.T) {
		m := r.members[0]
		m.stop()
		m.start()
		m.dial()
		r.awaitState(0)
		r.keepsIncumbents("requests", 3)
		r.report("requests", many, 1)
		assert.Len(t, r.settled("requests").overflow, 4, "it goes on with its overflow series; the other gateway has begun one")
	})
	step("a roll-out lowers the limit", func(*testing.T) {
		r.add("gateway-4", 300)
		r.keepsIncumbents("wake", 3) // they keep their places while not all agree
	})
	r.t = t
	for _, metric := range []string{"requests", "jobs", "wake"} {
		a := r.settled(metric)
		t.Logf("%-8s sent %6d, arrived %6d, %d series, %d overflow series", metric, r.sent[metric], a.sum, len(a.passed), len(a.overflow))
	}
}
