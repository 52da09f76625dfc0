package cardinalitylimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// lives runs one processor after another on one disk.
type lives struct {
	disk  *disk
	edit  func(*Config)
	clock *harness.Clock
	// kill ends a life; nil means SIGTERM.
	kill   func(rng *rand.Rand, r *rig)
	killed bool
	count  int
	// of all lives that have ended
	unbaselined int64
	dropped     int64 // exemplars
}

func (l *lives) begin(t *testing.T, edit func(*Config)) *rig {
	l.disk, l.clock = newDisk(), harness.NewClock()
	l.edit = func(c *Config) {
		edit(c)
		c.Storage = &storageID
		// Sources leave out streams at random, so a missing stream is no evidence.
		c.Reaggregate.FirstValue = "start"
	}
	return startRig(t, l.clock, l.disk, l.edit)
}

// next ends the life of r at some of its calls and begins another.
func (l *lives) next(rng *rand.Rand, r *rig, down func(pmetric.Metrics)) *rig {
	if rng.IntN(4) != 0 {
		return r
	}
	l.count++
	if l.kill == nil {
		if rng.IntN(3) == 0 {
			r.sink.refuse(fmt.Errorf("busy"))
		}
	} else {
		l.killed = true
		l.kill(rng, r)
		r.sink.refuse(errDead)
	}
	if l.kill == nil {
		require.NoError(r.t, r.Shutdown(context.Background()))
	} else {
		l.disk.kill()
		_ = r.Shutdown(context.Background())
	}
	r.sink.refuse(nil)
	l.collect(r, down)
	l.unbaselined += r.counterOnly("unbaselined_points")
	l.dropped += r.counterOnly("dropped_exemplars")
	require.NoError(r.t, r.tel.Shutdown(context.Background()))
	l.clock.Add(time.Duration(rng.IntN(10)) * time.Second)
	l.disk.revive()
	return startRig(r.t, l.clock, l.disk, l.edit)
}

func (l *lives) collect(r *rig, down func(pmetric.Metrics)) {
	for _, md := range r.sink.drain() {
		down(md)
	}
}

func (l *lives) end(r *rig) {
	l.unbaselined += r.counterOnly("unbaselined_points")
	require.NoError(r.t, r.stop())
}

// counterOnly is counter for a stopped processor.
func (r *rig) counterOnly(name string) int64 {
	return (&rig{t: r.t, tel: r.tel}).counter(name)
}

// Restarts with a storage come between any rounds, with flushes that downstream refuses at the end. The totals are those of one
// life: each overflow series keeps its start, and downstream adds up to the ledger. Exemplars leave with the last flush of a
// life, or are counted if downstream refuses it, because none is stored.
func TestTotalsAreConservedOverRestarts(t *testing.T) {
	const cases = 40
	restarts, all := 0, simulated{}
	for seed := range uint64(cases) {
		down, l := newReader(t), &lives{}
		ledger, n := simulate(t, 1000+seed, kinds, down.read, l)
		require.Equalf(t, ledger, down.total, "seed %d", seed)
		restarts += l.count
		all.add(n)
	}
	require.Greater(t, restarts, cases)
	t.Logf("%d cases, %d restarts: %v", cases, restarts, all)
}

// The process is killed when everything is stored. Only the values that become baselines are lost.
func TestKilledAfterASnapshot(t *testing.T) {
	exact := 0
	for seed := range uint64(60) {
		down, l := newReader(t), &lives{kill: func(_ *rand.Rand, r *rig) { r.save(context.Background()) }}
		ledger, _ := simulate(t, 2000+seed, kinds, down.read, l)
		requireAtMost(t, seed, ledger, down.total)
		if l.unbaselined == 0 {
			require.Equalf(t, ledger, down.total, "seed %d", seed)
			exact++
		}
	}
	require.Positive(t, exact)
}

// The process is killed at any moment, also during a write. No total decreases or begins anew, which the reader checks, and
// nothing counts twice.
func TestKilledAtAnyMoment(t *testing.T) {
	kills := 0
	for seed := range uint64(120) {
		down, l := newReader(t), &lives{}
		l.kill = func(rng *rand.Rand, r *rig) {
			switch rng.IntN(3) {
			case 0: // at this position
			case 1: // during a flush: nothing is sent that is not stored
				l.disk.dieAfter(rng.IntN(3))
				cut, parcels := r.table.FlushCut()
				stored := r.keeper.write(context.Background(), false, state(cut))
				for _, p := range parcels {
					if stored {
						require.NoError(t, r.sink.ConsumeMetrics(context.Background(), p.Metrics))
					}
				}
			default: // during a snapshot
				l.disk.dieAfter(rng.IntN(4))
				r.save(context.Background())
			}
		}
		ledger, _ := simulate(t, 3000+seed, kinds, down.read, l)
		requireAtMost(t, seed, ledger, down.total)
		kills += l.count
	}
	require.Greater(t, kills, 60)
}

func requireAtMost(t *testing.T, seed uint64, ledger, got map[string]totals) {
	t.Helper()
	for name, v := range got {
		require.Falsef(t, ledger[name].decreased(v), "seed %d: %s is %v of %v", seed, name, v, ledger[name])
	}
}

// A raised maximum keeps the incumbents. With another key, count or window the limit starts empty.
func TestChangedLimits(t *testing.T) {
	base := func(edit func(*Config, *LimitConfig)) func(*Config) {
		return func(c *Config) {
			l := limitOf(2, "overflow", "metric.name")
			if edit != nil {
				edit(c, &l)
			}
			c.Limits = []LimitConfig{l}
		}
	}
	for name, c := range map[string]struct {
		edit  func(*Config, *LimitConfig)
		fresh bool
		pass  int // of the incumbents and of as many strangers that come first
	}{
		"nothing":     {nil, false, 2},
		"raised":      {func(_ *Config, l *LimitConfig) { l.MaxSeries = 3 }, false, 3},
		"lowered":     {func(_ *Config, l *LimitConfig) { l.MaxSeries = 1 }, false, 2},
		"another key": {func(_ *Config, l *LimitConfig) { l.Key = []string{"scope.name"} }, true, 2},
		"count":       {func(_ *Config, l *LimitConfig) { l.Count = countStreams }, true, 2},
		"window":      {func(c *Config, _ *LimitConfig) { c.Window.Duration = 2 * time.Hour }, true, 2},
		"generations": {func(c *Config, _ *LimitConfig) { c.Window.Generations = 3 }, true, 2},
		"renamed":     {func(_ *Config, l *LimitConfig) { l.Name = "m" }, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			for _, exact := range []int{100, 1} {
				form := func(edit func(*Config)) func(*Config) {
					return func(c *Config) {
						edit(c)
						c.Tracker.ExactUpTo = exact
					}
				}
				d := newDisk()
				r := startRig(t, harness.NewClock(), d, onDisk(form(base(nil))))
				r.offer("a", "b", "c")
				require.Equal(t, []string{"a", "b"}, r.passed())
				require.NoError(t, r.stop())
				r.sink.drain()
				r = r.restart(d, form(base(c.edit)))
				r.offer("x", "y", "a", "b")
				got := r.passed()
				require.Len(t, got, c.pass)
				if c.fresh {
					require.Equal(t, []string{"x", "y"}, got)
					require.EqualValues(t, 1, r.counter("empty_starts"))
				} else {
					require.Subset(t, got, []string{"a", "b"})
					require.Zero(t, r.counter("empty_starts"))
				}
				require.NoError(t, r.stop())
			}
		})
	}
}

// After a pause longer than the window, as after a silence, no place is left.
func TestLongPause(t *testing.T) {
	for pause, want := range map[time.Duration][]string{
		20 * time.Minute: {"a", "b"},
		2 * time.Hour:    {"x", "y"},
		-2 * time.Hour:   {"a", "b"}, // the clock was wrong
	} {
		d := newDisk()
		two := func(c *Config) { c.Limits = []LimitConfig{limitOf(2, "overflow", "metric.name")} }
		r := startRig(t, harness.NewClock(), d, onDisk(two))
		r.offer("a", "b", "c")
		require.NoError(t, r.stop())
		r.sink.drain()
		r.clock.Add(pause)
		r = r.restart(d, two)
		r.offer("x", "y", "a", "b")
		require.Equal(t, want, r.passed(), pause)
		require.NoError(t, r.stop())
	}
}

// offer sends a delta point for each id.
func (r *rig) offer(ids ...string) {
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	for i, id := range ids { // the first one is the heaviest
		put(points, int64(len(ids)-i), r.clock.Now().Add(-1), r.clock.Now(), "id", id)
	}
	r.send(b.md)
}

// passed returns the ids that have passed as themselves.
func (r *rig) passed() (ids []string) {
	for _, o := range observe(r.sink.drain()...) {
		if id, ok := o.attributes["id"]; ok {
			ids = append(ids, id.(string))
		}
	}
	return ids
}

// The growth of a stream while the gateway is down counts once, in the series that continues. So does its growth between the
// last flush and a kill.
func TestGrowthDuringTheDowntime(t *testing.T) {
	for _, kill := range []bool{false, true} {
		d := newDisk()
		r := startRig(t, harness.NewClock(), d, onDisk(oneSeries))
		begun := r.clock.Now().Add(1)
		report := func(v int64) {
			r.clock.Add(time.Second)
			b := newBatch("orders")
			points := b.sum("requests", cumulative, true)
			put(points, v, begun, r.clock.Now(), "id", "a")
			put(points, v, begun, r.clock.Now(), "id", "b")
			r.send(b.md)
			r.sink.drain()
		}
		report(10)
		before := r.flushed()[0]
		require.EqualValues(t, 10, before.value)
		if kill {
			report(15)
			r.kill(d)
		} else {
			require.NoError(t, r.stop())
		}
		r.sink.drain()
		r.clock.Add(time.Minute)
		r = r.restart(d, oneSeries)
		after := r.flushed()[0] // continues before the stream has reported
		require.EqualValues(t, 10, after.value)
		report(40)
		after = r.flushed()[0]
		require.EqualValues(t, 40, after.value)
		require.Equal(t, before.start, after.start)
		require.Equal(t, before.resource, after.resource)
		require.NoError(t, r.stop())
	}
}

// A series that left without a place under other rules does not count again when it is folded.
func TestChangedRules(t *testing.T) {
	for name, before := range map[string]func(*Config){
		"dry run":         func(c *Config) { oneSeries(c); c.Mode = modeDryRun },
		"a limit's":       func(c *Config) { oneSeries(c); c.Limits[0].DryRun = true },
		"tagged":          func(c *Config) { oneSeries(c); c.Limits[0].Action = "tag" },
		"exempt":          func(c *Config) { oneSeries(c); c.Exempt.Metrics = []string{"requests"} },
		"limited already": oneSeries,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			r := startRig(t, harness.NewClock(), d, onDisk(before))
			start := r.clock.Now().Add(1)
			report := func(v int64) {
				r.clock.Add(time.Second)
				b := newBatch("orders")
				points := b.sum("requests", cumulative, true)
				put(points, v, start, r.clock.Now(), "id", "a")
				put(points, v, start, r.clock.Now(), "id", "b")
				r.send(b.md)
			}
			report(1000)
			require.NoError(t, r.stop())
			r = r.restart(d, oneSeries)
			report(1001)
			report(1003)
			r.sink.drain()
			want := int64(2)
			if name == "limited already" {
				want = 1003
			}
			require.Equal(t, want, r.flushed()[0].value)
			require.NoError(t, r.stop())
		})
	}
}

// A stream was folded, got a place between the last flush and a kill, and has none after the restart. It counts once.
func TestPlaceBeforeAKill(t *testing.T) {
	d := newDisk()
	r := startRig(t, harness.NewClock(), d, onDisk(oneSeries))
	start := r.clock.Now()
	passed, overflow := int64(0), int64(0)
	report := func(id string, v int64) {
		b := newBatch("orders")
		put(b.sum("requests", cumulative, true), v, start, r.clock.Now(), "id", id)
		r.send(b.md)
		for _, o := range observe(r.sink.drain()...) {
			if o.attributes["id"] == "x" {
				passed = o.value
			}
		}
	}
	flush := func() {
		for _, o := range r.flushed() {
			overflow = o.value
		}
	}
	r.clock.Add(time.Minute)
	report("a", 1)
	r.save(context.Background()) // of the places; "a" has the one
	report("x", 20)
	flush()
	r.clock.Add(40 * time.Minute)
	report("x", 30)
	flush()
	r.clock.Add(40 * time.Minute) // "a" is forgotten
	report("x", 40)
	require.Zero(t, passed, "folded until its place is stored")
	flush()
	require.EqualValues(t, 40, overflow)
	r.clock.Add(time.Second)
	report("x", 55)
	require.EqualValues(t, 15, passed)
	r.kill(d)
	r.sink.drain()
	r = r.restart(d, oneSeries)
	r.clock.Add(time.Second)
	report("b", 1) // gets the place
	r.clock.Add(time.Second)
	report("x", 60)
	flush()
	require.EqualValues(t, 40, overflow, "what it grew by may have left")
	r.clock.Add(time.Second)
	report("x", 67)
	flush()
	require.EqualValues(t, 47, overflow)
	require.NoError(t, r.stop())
}
