package cardinalitylimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/cluster"
)

// fleet contains gateways with one store, and a ledger of the points that they received and sent.
type fleet struct {
	t      *testing.T
	store  *storetest.Server
	rigs   []*rig
	random *rand.Rand
	begun  time.Time

	sent int64
	// wrong is the time by which the clock of each gateway is behind that of the next.
	wrong  time.Duration
	passed map[string]int64 // by series: the sum of deltas, or the last cumulative value
	over   map[int]int64    // by gateway, likewise
	// refused counts points of series that had passed before.
	refused int
}

func newFleet(t *testing.T, n int, wrong time.Duration, edit func(i int, c *Config)) *fleet {
	f := &fleet{
		wrong: wrong,
		t:     t, store: storetest.Start(t), random: rand.New(rand.NewPCG(7, 3)),
		passed: make(map[string]int64), over: make(map[int]int64),
	}
	for i := range n {
		f.rigs = append(f.rigs, f.gateway(i, edit))
	}
	f.begun = time.Now()
	return f
}

// gateway starts a gateway, whose clock may be wrong.
func (f *fleet) gateway(i int, edit func(i int, c *Config)) *rig {
	cfg := config(func(c *Config) {
		c.InstanceID = fmt.Sprint("gateway-", i)
		c.Cluster = clusterOf(f.store)
		if edit != nil {
			edit(i, c)
		}
	})
	require.NoError(f.t, cfg.Validate())
	r := &rig{t: f.t, sink: &sink{}, tel: componenttest.NewTelemetry()}
	factory := factoryAt(harness.NewClock())
	wrong := time.Duration(i-1) * f.wrong
	factory.now = func() time.Time { return time.Now().Add(wrong) }
	p, err := factory.createMetrics(context.Background(), settingsOf(r.tel, ""), cfg, r.sink)
	require.NoError(f.t, err)
	r.limiter = p.(*limiter)
	require.NoError(f.t, p.Start(context.Background(), componenttest.NewNopHost()))
	f.t.Cleanup(func() { require.NoError(f.t, r.stop()) })
	return r
}

func clusterOf(s *storetest.Server) *ClusterConfig {
	c := &ClusterConfig{}
	if err := c.Unmarshal(confmap.New()); err != nil {
		panic(err)
	}
	c.Redis.Endpoints = []string{s.Addr}
	c.Timeout, c.Refresh = 2*time.Second, 200*time.Millisecond
	return c
}

// send makes a gateway process points of some series, and enters the points that it sends in the ledger.
func (f *fleet) send(gateway int, t pmetric.AggregationTemporality, series []int, value func(series int) int64) {
	b := newBatch("orders")
	points := b.sum("requests", t, true)
	for _, s := range series {
		put(points, value(s), f.begun, time.Now(), "id", fmt.Sprint(s))
	}
	f.rigs[gateway].send(b.md)
	out := make(map[string]bool)
	for _, o := range observe(f.rigs[gateway].sink.drain()...) {
		id := o.attributes["id"].(string)
		out[id] = true
		if t == delta {
			f.passed[id] += o.value
		} else {
			f.passed[id] = o.value
		}
	}
	for _, s := range series {
		if _, has := f.passed[fmt.Sprint(s)]; has && !out[fmt.Sprint(s)] {
			f.refused++
		}
	}
}

// flush enters the overflow series in the ledger.
func (f *fleet) flush(t pmetric.AggregationTemporality) {
	for i, r := range f.rigs {
		for _, o := range r.flushed() {
			if t == delta {
				f.over[i] += o.value
			} else {
				f.over[i] = o.value
			}
		}
	}
}

func (f *fleet) out() (sum int64) {
	for _, v := range f.passed {
		sum += v
	}
	for _, v := range f.over {
		sum += v
	}
	return sum
}

func upTo(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// Deltas come through a balancer that chooses a gateway for each request. The limit applies to all gateways together, each has
// one overflow series, and no point is lost.
func TestClusterOfThreeWithDeltas(t *testing.T) {
	f := newFleet(t, 3, 3*time.Minute, nil)
	const total, rounds = 2000, 20
	for range rounds {
		order := f.random.Perm(total)
		for first := 0; first < total; first += 100 {
			f.send(f.random.IntN(3), delta, order[first:first+100], func(int) int64 { f.sent++; return 1 })
		}
	}
	f.flush(delta)
	assert.Len(t, f.passed, 500)
	assert.Len(t, f.over, 3)
	assert.Equal(t, f.sent, f.out())
	assert.Zero(t, f.refused, "incumbents")
	var exchanges int64
	for _, r := range f.rigs {
		s := r.gateway.Stats()
		assert.Equal(t, cluster.Joined, s.State)
		assert.EqualValues(t, 500, r.gateway.Series()[0])
		exchanges += s.Exchanges
		assert.EqualValues(t, 0, r.counter("cluster_state"))
		assert.EqualValues(t, 500, r.counter("cluster_series", "limit", "metric"))
		assert.Equal(t, s.Answers[cluster.Admitted], r.counter("cluster_new_series", "answer", "admitted"))
		assert.GreaterOrEqual(t, r.counter("cluster_exchanges"), s.Exchanges, "the background has its own")
		assert.Zero(t, r.counter("cluster_failures"))
		page := r.GatewayState().Limiter.Cluster
		assert.Equal(t, "joined", page.State)
		assert.EqualValues(t, 500, page.Limits[0].Series)
	}
	assert.EqualValues(t, 500, f.rigs[0].counter("cluster_new_series", "answer", "admitted")+
		f.rigs[1].counter("cluster_new_series", "answer", "admitted")+f.rigs[2].counter("cluster_new_series", "answer", "admitted"))
	t.Logf("%d points, %d series passed, overflow %v, %d exchanges with the store", f.sent, len(f.passed), f.over, exchanges)
}

// Cumulative senders that stay at one gateway count exactly.
func TestClusterOfThreeWithCumulativeSendersThatKeepTheirGateway(t *testing.T) {
	f := newFleet(t, 3, 0, nil)
	const total, rounds = 1500, 10
	for round := range rounds {
		for g := range 3 {
			f.send(g, cumulative, upTo(g*total/3, (g+1)*total/3), func(int) int64 { return int64(round + 1) })
		}
	}
	f.flush(cumulative)
	assert.Len(t, f.passed, 500)
	assert.EqualValues(t, total*rounds, f.out())
	assert.Zero(t, f.refused)
}

// A balancer distributes the requests of one cumulative sender. Each gateway sees all of the growth, so each counts all of it.
func TestClusterOfThreeWithCumulativeSendersThatAreSpread(t *testing.T) {
	f := newFleet(t, 3, 0, nil)
	const total, rounds = 1500, 40
	for round := range rounds {
		order := f.random.Perm(total)
		for first := 0; first < total; first += 100 {
			f.send(f.random.IntN(3), cumulative, order[first:first+100], func(int) int64 { return int64(round + 1) })
		}
	}
	f.flush(cumulative)
	assert.Len(t, f.passed, 500, "the limit holds")
	over, grown := int64(0), int64(1000*rounds)
	for _, v := range f.over {
		over += v
	}
	t.Logf("overflow series together: %d, growth of their streams: %d, %.2f times", over, grown, float64(over)/float64(grown))
	assert.Greater(t, over, grown)
	assert.LessOrEqual(t, over, 3*grown)
}

// Several limits decide on one point. A series that one of them refuses gets no place under the others.
func TestClusterGivesPlacesUnderAllLimitsOrNone(t *testing.T) {
	service := limitOf(10, "drop", "resource.service.name")
	service.Name, service.Count = "service", countStreams
	label := limitOf(0, "strip", "metric.name")
	label.Name, label.MaxSeries, label.MaxValues = "label", 0, 40
	f := newFleet(t, 2, 0, func(_ int, c *Config) { c.Limits = []LimitConfig{label, defaultLimits[0], service} })
	for round := range 4 {
		f.send(round%2, delta, upTo(0, 100), func(int) int64 { return 1 })
		f.send(round%2, delta, upTo(100*round, 100*round+100), func(int) int64 { return 1 })
	}
	assert.Len(t, f.passed, 10)
	assert.Zero(t, f.refused)
	require.Eventually(t, func() bool {
		s := f.rigs[0].gateway.Series()
		return s[0] <= 40 && s[2] <= 10
	}, 10*time.Second, 10*time.Millisecond)
	c := f.store.Client()
	harness.Eventually(t, func() bool { // unused places are returned
		held := int64(0)
		for _, name := range strings.Fields(strings.Join(f.store.Keys(c, "cardinalitylimit:{metric:*"), " ")) {
			if n := name[len(name)-1]; n >= '0' && n <= '9' {
				held += f.store.Size(c, name)
			}
		}
		return held == 10
	}, 10*time.Second, 50*time.Millisecond)
}

func TestClusterConfig(t *testing.T) {
	cfg := load(t, "cardinalitylimit/cluster")
	require.NotNil(t, cfg.Cluster)
	require.Equal(t, "limits", cfg.Cluster.Prefix)
	require.Equal(t, 50*time.Millisecond, cfg.Cluster.Timeout)
	require.Equal(t, 5*time.Second, cfg.Cluster.Refresh)
	require.Equal(t, 3, cfg.Cluster.MinGateways)
	require.Equal(t, []string{"valkey-0:6379", "valkey-1:6379"}, cfg.Cluster.Redis.Endpoints)
	require.Equal(t, configopaque.String("open sesame"), cfg.Cluster.Redis.Password)
	require.True(t, cfg.Cluster.Redis.TLS.HasValue())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", cfg.Cluster, cfg.Cluster, cfg.Cluster.Redis), "sesame")
	require.NotContains(t, fmt.Sprintf("%v %+v", cfg.Cluster, cfg.Cluster), "hush")

	for field, c := range map[string]struct {
		edit func(*ClusterConfig)
		want string
	}{
		"endpoints":    {func(c *ClusterConfig) { c.Redis.Endpoints = nil }, "cluster::redis::endpoints: must be at least one host:port (got 0)"},
		"endpoint":     {func(c *ClusterConfig) { c.Redis.Endpoints = []string{"valkey"} }, `cluster::redis::endpoints::0: must be host:port (got "valkey")`},
		"database":     {func(c *ClusterConfig) { c.Redis.Database = -1 }, "cluster::redis::database: must be from 0 to 1048576 (got -1)"},
		"username":     {func(c *ClusterConfig) { c.Redis.Password = "" }, `cluster::redis::password: must be set where username is (got "")`},
		"prefix":       {func(c *ClusterConfig) { c.Prefix = "{x}" }, `cluster::prefix: must be 1 to 64 letters, digits and _.:/- (got "{x}")`},
		"spaces":       {func(c *ClusterConfig) { c.Prefix = "a b" }, `cluster::prefix: must be 1 to 64 letters, digits and _.:/- (got "a b")`},
		"no prefix":    {func(c *ClusterConfig) { c.Prefix = "" }, `cluster::prefix: must be 1 to 64 letters, digits and _.:/- (got "")`},
		"timeout":      {func(c *ClusterConfig) { c.Timeout = 0 }, "cluster::timeout: must be from 1ms to 10s (got 0s)"},
		"refresh":      {func(c *ClusterConfig) { c.Refresh = time.Millisecond }, "cluster::refresh: must be at least 100ms (got 1ms)"},
		"min_gateways": {func(c *ClusterConfig) { c.MinGateways = 0 }, "cluster::min_gateways: must be from 1 to 100000 (got 0)"},
	} {
		t.Run(field, func(t *testing.T) {
			cfg := load(t, "cardinalitylimit/cluster")
			c.edit(cfg.Cluster)
			require.EqualError(t, cfg.Validate(), c.want)
		})
	}
}

// The benchmark compares the cost of a point with and without a cluster. A known series costs the same. A series over the limit
// costs one more question to the tracker.
func BenchmarkCluster(b *testing.B) {
	for _, c := range []struct {
		name      string
		shared    bool
		maxSeries int
	}{{"known/alone", false, 500}, {"known/cluster", true, 500}, {"over/alone", false, 1}, {"over/cluster", true, 1}} {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b, func(cfg *Config) {
				cfg.Limits = []LimitConfig{limitOf(c.maxSeries, "overflow", "metric.name")}
				if c.shared {
					cfg.Cluster = clusterOf(storetest.Start(b))
					cfg.Cluster.Refresh = 10 * time.Second
				}
			})
			md := thousand(r, 5)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				copied := pmetric.NewMetrics()
				md.CopyTo(copied)
				b.StartTimer()
				batch := r.process(context.Background(), copied)
				batch.Commit()
				batch.End()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
		})
	}
}
