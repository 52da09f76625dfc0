package cardinalitylimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// chain has a limit for every action.
func chain(c *Config) {
	label := defaultLimit
	label.Name, label.Key, label.MaxValues, label.Action = "label", []string{"metric.name"}, 20, "strip"
	metric := limitOf(60, "overflow", "resource.service.name", "metric.name")
	metric.Name = "metric"
	pod := limitOf(150, "drop", "resource.pod")
	pod.Name, pod.Count = "pod", countStreams
	tag := limitOf(30, "tag", "attribute.route")
	tag.Name = "tag"
	c.Limits = []LimitConfig{metric, pod, tag, label}
}

func randomBatch(rng *rand.Rand, at time.Time) pmetric.Metrics {
	b := newBatch(fmt.Sprint("service", rng.IntN(3)), "pod", fmt.Sprint(rng.IntN(4)))
	for m := range 1 + rng.IntN(4) {
		points := b.sum(fmt.Sprint("requests", m), []pmetric.AggregationTemporality{delta, cumulative}[m%2], true)
		for range 1 + rng.IntN(30) {
			p := put(points, int64(rng.IntN(100)), at, at, "route", fmt.Sprint(rng.IntN(3)),
				"error", fmt.Sprint(rng.IntN(40)), "user", fmt.Sprint(rng.IntN(10)))
			if rng.IntN(50) == 0 {
				p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
			}
			if rng.IntN(50) == 0 {
				p.Attributes().Clear()
				p.Attributes().PutBool("otel.metric.overflow", true)
			}
		}
	}
	return b.md
}

// decisions are the points counted, by limit and action.
func (r *rig) decisions(mode string) map[[2]string]int64 {
	out := map[[2]string]int64{}
	for _, p := range harness.Points[int64](r.t, r.tel.Reader, "otelcol_processor_cardinalitylimit_points") {
		limit, _ := p.Attributes.Value("limit")
		action, _ := p.Attributes.Value("action")
		got, _ := p.Attributes.Value("mode")
		require.Equal(r.t, mode, got.AsString())
		out[[2]string{limit.AsString(), action.AsString()}] = p.Value
	}
	return out
}

func TestDryRunReportsWhatEnforceDecides(t *testing.T) {
	for seed := range uint64(10) {
		enforced := newRig(t, chain)
		observed := newRig(t, func(c *Config) { chain(c); c.Mode = modeDryRun })
		rng := rand.New(rand.NewPCG(seed, 5))
		for range 60 {
			step := time.Duration(rng.IntN(600)) * time.Second
			enforced.clock.Add(step)
			observed.clock.Add(step)
			md, same, original := randomBatch(rng, enforced.clock.Now()), pmetric.NewMetrics(), pmetric.NewMetrics()
			md.CopyTo(same)
			md.CopyTo(original)
			enforced.send(md)
			observed.send(same)
			require.Equal(t, []pmetric.Metrics{original}, observed.sink.drain(), "nothing is changed")
		}
		want, got := enforced.decisions("enforce"), observed.decisions("dry_run")
		require.Equal(t, want, got)
		for _, decided := range [][2]string{{"none", "pass"}, {"label", "strip"}, {"metric", "overflow"}, {"pod", "drop"}, {"tag", "tag"}} {
			require.Positivef(t, want[decided], "the input exercises %v", decided)
		}
		require.NoError(observed.t, observed.flush(context.Background(), false))
		require.Empty(t, observed.sink.drain())
	}
}

// A dry-run limit sees the points that the others leave, counts, and changes nothing.
func TestDryRunLimitHasNoInfluence(t *testing.T) {
	run := func(dry bool) (passed []observation, r *rig) {
		r = newRig(t, func(c *Config) {
			c.Limits = []LimitConfig{limitOf(20, "drop", "metric.name")}
			if dry {
				d := limitOf(5, "drop", "metric.name")
				d.Name, d.DryRun = "dry", true
				c.Limits = append([]LimitConfig{d}, c.Limits...)
			}
		})
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		for i := range 50 {
			put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
		}
		r.send(b.md)
		return observe(r.sink.drain()...), r
	}
	with, r := run(true)
	without, _ := run(false)
	require.Equal(t, without, with)
	require.EqualValues(t, 45, r.counter("points", "limit", "dry", "action", "drop", "mode", "dry_run"))
	require.EqualValues(t, 30, r.counter("points", "limit", "l", "action", "drop", "mode", "enforce"))
	require.EqualValues(t, 5, r.counter("series", "limit", "dry"))
	require.EqualValues(t, 20, r.counter("series", "limit", "l"))
}

// A series that one limit refuses gets no place under another.
func TestOnlyWhatPassesAllIsCommitted(t *testing.T) {
	r := newRig(t, func(c *Config) {
		a, b := limitOf(100, "drop", "resource.service.name"), limitOf(3, "overflow", "metric.name")
		a.Name, b.Name = "a", "b"
		c.Limits = []LimitConfig{a, b}
	})
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	for i := range 50 {
		put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
	}
	r.send(b.md)
	require.EqualValues(t, 3, r.counter("series", "limit", "a"))
	require.EqualValues(t, 3, r.counter("series", "limit", "b"))
}

func TestManyGoroutinesAreExact(t *testing.T) {
	const goroutines, batches, limit = 8, 40, 300
	r := newRig(t, func(c *Config) {
		a, b := limitOf(limit, "drop", "metric.name"), limitOf(2*limit, "overflow", "resource.service.name")
		a.Name, b.Name, b.Count = "a", "b", countStreams
		c.Limits = []LimitConfig{a, b}
	})
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range batches {
				b := newBatch("orders")
				for m := range 3 {
					points := b.sum(fmt.Sprint("requests", m), delta, true)
					for range 30 {
						put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(rng.IntN(100_000)))
					}
				}
				if err := r.ConsumeMetrics(context.Background(), b.md); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	series := map[string]bool{}
	passed := observe(r.sink.drain()...)
	for _, o := range passed {
		series[fmt.Sprint(o.name, o.attributes)] = true
	}
	require.Len(t, series, 2*limit)
	require.EqualValues(t, 2*limit, r.counter("series", "limit", "b"))
	require.EqualValues(t, 2*limit, r.counter("series", "limit", "a"))

	dropped := r.counter("points", "action", "drop")
	folded := int64(0)
	for _, o := range r.flushed() {
		folded += o.value
	}
	require.EqualValues(t, goroutines*batches*90, int64(len(passed))+folded+dropped)
}

// An incumbent that keeps reporting passes through all rotations.
func TestIncumbentsPassThroughRotations(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(50, "drop", "metric.name")} })
	stranger := 1000
	for range 40 {
		r.clock.Add(10 * time.Minute)
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		for range 100 {
			stranger++
			if stranger > 1100 { // the incumbents were there first
				put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(stranger))
			}
		}
		for i := range 50 {
			put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
		}
		r.send(b.md)
		require.Len(t, observe(r.sink.drain()...), 50)
	}
	require.Greater(t, r.counter("rotations"), int64(10))
}

// A new label value comes every second. Each is over the limit, and none passes.
func TestSteadyGrowthIsCaught(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(100, "overflow", "metric.name")} })
	passed := map[string]bool{}
	for i := range 1_700 { // within one generation of half an hour
		b := newBatch("orders")
		put(b.sum("requests", delta, true), 1, r.clock.Now(), r.clock.Now(), "user", fmt.Sprint(i))
		r.send(b.md)
		for _, o := range observe(r.sink.drain()...) {
			passed[fmt.Sprint(o.attributes)] = true
		}
		if i == 800 { // 800 s into a generation; this clock begins the next
			require.Len(t, passed, 100)
		}
		r.clock.Add(time.Second)
	}
	require.Len(t, passed, 100)
	require.EqualValues(t, 1_600, r.flushed()[0].value)
}

func TestKeysBeyondTheMaximumShareOneTracker(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(10, "drop", "metric.name")}
		c.Tracker.MaxKeys = 5
	})
	b := newBatch("orders")
	for m := range 20 {
		points := b.sum(fmt.Sprint("metric", m), delta, true)
		for i := range 20 {
			put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
		}
	}
	r.send(b.md)
	require.Len(t, observe(r.sink.drain()...), 5*10+10)
	require.EqualValues(t, 15*20, r.counter("shared_key_checks"))
	require.EqualValues(t, 5, r.counter("keys"))
}

// For any input, the reserved memory stays below the limit, and a series with a place keeps it.
func TestMemoryLimitHolds(t *testing.T) {
	r := newRig(t, func(c *Config) {
		a, b := limitOf(1_000_000, "drop", "metric.name"), limitOf(10, "overflow", "resource.service.name")
		a.Name, b.Name = "a", "b"
		b.DryRun = false
		c.Limits = []LimitConfig{a, b}
		c.Tracker.MemoryLimitMiB = 1
	})
	for i := range 200 {
		b := newBatch(fmt.Sprint("service", i))
		for m := range 20 {
			points := b.sum(fmt.Sprint("metric", m, ".", i), cumulative, true)
			for k := range 20 {
				put(points, int64(20-m)*int64(20-k), r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(k))
			}
		}
		r.send(b.md)
		require.LessOrEqual(t, r.counter("tracker_bytes"), int64(1<<20))
	}
	require.Positive(t, r.counter("memory_refusals"))
	require.Positive(t, r.counter("refused_streams"))
	r.sink.drain()
	b := newBatch("service0")
	put(b.sum("metric0.0", cumulative, true), 1, r.clock.Now(), r.clock.Now(), "id", "0")
	r.send(b.md)
	require.Len(t, observe(r.sink.drain()...), 1)
}

// At its memory limit the processor uses at most one and a half times the limit, as the runtime measures it. The additional
// half covers the estimates in the reservations and the spare capacity of maps.
func TestHeapAtTheMemoryLimit(t *testing.T) {
	const limit = 16 << 20
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	r := newRig(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(10, "overflow", "resource.service.name")}
		c.Tracker.MemoryLimitMiB = limit >> 20
	})
	for i := range 100 {
		b := newBatch(fmt.Sprint("service", i%100))
		for m := range 20 {
			points := b.sum(fmt.Sprint("metric", m, ".", i), cumulative, true)
			for k := range 60 {
				put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(k))
			}
		}
		r.send(b.md)
		r.sink.drain()
	}
	require.Positive(t, r.counter("refused_streams"))
	reserved, held := r.counter("tracker_bytes"), heap()-before
	t.Logf("limit %d, reserved %d, on the heap %d", limit, reserved, held)
	require.LessOrEqual(t, held, int64(limit*3/2))
	require.Greater(t, held, int64(limit/8), "the heap shows the state at all")
	runtime.KeepAlive(r)
}
