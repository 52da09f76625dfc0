package cardinalitylimit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

// passedOf sends deltas of some series and returns those that passed.
func (r *rig) passedOf(from, to int) (ids []string) {
	r.t.Helper()
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	for i := from; i < to; i++ {
		put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
	}
	r.send(b.md)
	for _, o := range observe(r.sink.drain()...) {
		ids = append(ids, o.attributes["id"].(string))
	}
	return ids
}

// Places and totals survive a restart with storage, whether or not the store answers. Another prefix changes the identities of
// all series. Then the state starts empty, with a log record.
func TestClusterWithStorage(t *testing.T) {
	store, d := storetest.Start(t), newDisk()
	edit := func(prefix string) func(*Config) {
		return onDisk(func(c *Config) {
			c.Cluster = clusterOf(store)
			c.Cluster.Prefix = prefix
			c.Limits = []LimitConfig{limitOf(10, "overflow", "metric.name")}
		})
	}
	r := startRig(t, harness.NewClock(), d, edit("one"))
	require.EqualValues(t, 2, r.counter("empty_starts", "reason", "missing"), "the first start")
	require.Len(t, r.passedOf(0, 15), 10)
	require.NoError(t, r.stop())

	r = startRig(t, r.clock, d, edit("one"))
	require.Zero(t, r.counter("empty_starts"))
	require.Len(t, r.passedOf(0, 15), 10)
	require.NoError(t, r.stop())

	store.Kill()
	r = startRig(t, r.clock, d, edit("one"))
	require.EqualValues(t, 2, r.counter("cluster_state"))
	require.Len(t, r.passedOf(0, 15), 10, "who has a place keeps it")
	require.Empty(t, r.passedOf(100, 120), "and nobody else gets one")
	require.NoError(t, r.stop())

	store.Restart()
	r = startRig(t, r.clock, d, edit("two"))
	require.EqualValues(t, 2, r.counter("empty_starts", "reason", "changed"))
	require.Len(t, r.passedOf(20, 35), 10)
	require.NoError(t, r.stop())
}

// Gateways with another secret have places of their own, under names of their own: neither disturbs the other.
func TestGatewaysWithAnotherSecret(t *testing.T) {
	f := newFleet(t, 2, 0, func(i int, c *Config) {
		c.Cluster.Secret = configopaque.String(fmt.Sprint("secret ", i))
		c.Limits = []LimitConfig{limitOf(10, "overflow", "metric.name")}
	})
	f.send(0, delta, upTo(0, 15), func(int) int64 { return 1 })
	f.send(1, delta, upTo(20, 35), func(int) int64 { return 1 })
	require.Len(t, f.passed, 20)
	require.Len(t, f.store.Keys(f.store.Client(), "*:h"), 2, "a header for each")
}

// Gateways that share an instance ID, as copies of one host do, share places as others do. Here the random part of their
// names is the same, too.
func TestGatewaysOfOneName(t *testing.T) {
	f := newFleet(t, 2, 0, func(_ int, c *Config) {
		c.InstanceID = "one and \x00 the same"
		c.Limits = []LimitConfig{limitOf(10, "overflow", "metric.name")}
	})
	f.send(0, delta, upTo(0, 8), func(int) int64 { return 1 })
	f.send(1, delta, upTo(20, 35), func(int) int64 { return 1 })
	require.Len(t, f.passed, 10)
	require.EqualValues(t, 1, f.rigs[0].counter("cluster_gateways"))
}

// A dry run makes the same decisions as enforcement.
func TestClusterDryRun(t *testing.T) {
	counts := func(mode string) (over, passed int64) {
		r := newRig(t, func(c *Config) {
			c.Mode = mode
			c.Cluster = clusterOf(storetest.Start(t)) // one prefix, because equal weights are ordered by identity
			c.Limits = []LimitConfig{limitOf(10, "overflow", "metric.name")}
		})
		for i := range 4 {
			r.passedOf(3*i, 3*i+12)
		}
		return r.counter("points", "action", "overflow"), r.counter("points", "action", "pass")
	}
	over, passed := counts(modeEnforce)
	wouldBe, would := counts(modeDryRun)
	require.Equal(t, over, wouldBe)
	require.Equal(t, passed, would)
	require.Positive(t, over)
}

// In a cluster, too, the allocations of a batch do not grow with its known points.
func TestAllocsPerKnownPointInACluster(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Cluster = clusterOf(storetest.Start(t))
		c.Cluster.Refresh = time.Hour // no heartbeat during the measurement
	})
	r.requireFewAllocs(t, thousand(r, 5))
}

// A generation begins. The store renews the series that report. The others lose their places, in all gateways at the store's
// time.
func TestClusterGenerations(t *testing.T) {
	f := newFleet(t, 2, time.Hour, func(_ int, c *Config) {
		c.Window = WindowConfig{Duration: 4 * time.Second, Generations: 2}
		c.Limits = []LimitConfig{limitOf(10, "overflow", "metric.name")}
	})
	f.send(0, delta, upTo(0, 10), func(int) int64 { return 1 })
	require.Len(t, f.passed, 10)
	began := f.rigs[0].set.Rotations()
	for f.rigs[0].set.Rotations() < began+4 || f.rigs[1].set.Rotations() < 3 {
		f.send(f.random.IntN(2), delta, upTo(0, 5), func(int) int64 { return 1 }) // half of them continue
		time.Sleep(20 * time.Millisecond)                                         // the store's clock decides
	}
	assert.Zero(t, f.refused)
	harness.Eventually(t, func() bool {
		f.send(1, delta, upTo(50, 60), func(int) int64 { return 1 })
		return len(f.passed) == 15
	}, 20*time.Second, 100*time.Millisecond, "the others' places are free")
	assert.Zero(t, f.refused)
}

// A start with a wrong endpoint ends soon, and so does a shutdown.
func TestClusterWithoutAStore(t *testing.T) {
	begin := time.Now()
	r := newRig(t, func(c *Config) {
		c.Cluster = &ClusterConfig{
			Redis: RedisConfig{Endpoints: []string{"127.0.0.1:1"}}, Prefix: "x", Timeout: 50 * time.Millisecond,
			Refresh: time.Second, MinGateways: 5,
		}
		c.Limits = []LimitConfig{limitOf(10, "overflow", "metric.name")}
	})
	require.Len(t, r.passedOf(0, 15), 2, "a fifth of the limit")
	require.NoError(t, r.Shutdown(context.Background()))
	require.Less(t, time.Since(begin), 5*time.Second)
}
