package cardinalitylimit

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// onDisk is a configuration with the storage.
func onDisk(edit func(*Config)) func(*Config) {
	return func(c *Config) {
		c.Storage = &storageID
		if edit != nil {
			edit(c)
		}
	}
}

// restart begins the next life of a stopped rig.
func (r *rig) restart(d *disk, edit func(*Config)) *rig {
	d.revive()
	return startRig(r.t, r.clock, d, onDisk(edit))
}

// kill discards the memory of a rig.
func (r *rig) kill(d *disk) {
	d.kill()
	r.sink.refuse(errDead)
	_ = r.stop() // returns an error, because nothing is stored
	r.sink.refuse(nil)
}

func TestStorageMustBeThere(t *testing.T) {
	for id, want := range map[component.ID]string{
		component.MustNewID("nothing"): "storage: must be an extension that the service starts (got nothing)",
		component.MustNewID("other"):   "storage: must be a storage extension (got other)",
	} {
		r := &rig{t: t, tel: componenttest.NewTelemetry()}
		f := factoryAt(harness.NewClock())
		p, err := f.createMetrics(context.Background(), settingsOf(r.tel, ""), config(func(c *Config) { c.Storage = &id }), &sink{})
		require.NoError(t, err)
		require.EqualError(t, p.Start(context.Background(), newDisk()), want)
		require.NoError(t, p.Shutdown(context.Background()))
		require.NoError(t, r.tel.Shutdown(context.Background()))
	}
}

// After a restart it is not known which of two processors of one ID is which.
func TestStorageOfOneIDInTwoPipelines(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	f := factoryAt(harness.NewClock())
	create := func(name string, edit func(*Config)) error {
		_, err := f.createMetrics(context.Background(), settingsOf(tel, name), config(edit), &sink{})
		return err
	}
	require.NoError(t, create("", onDisk(nil)))
	require.EqualError(t, create("", onDisk(nil)), "storage: cardinalitylimit is in several pipelines, and which is which "+
		"is not known after a restart: give each a processor of its own, such as cardinalitylimit/second")
	require.NoError(t, create("second", onDisk(nil)))
	require.NoError(t, create("", nil), "without a storage it works")
}

// Errors of the storage at run time are counted, and processing goes on.
func TestStorageFailsAtRunTime(t *testing.T) {
	d := newDisk()
	r := startRig(t, harness.NewClock(), d, onDisk(oneSeries))
	require.EqualValues(t, 2, r.counter("empty_starts", "reason", "missing"))
	d.fail(errDisk)
	b := newBatch("orders")
	for _, id := range []string{"a", "b", "c"} {
		put(b.sum("requests", delta, true), 1, r.clock.Now(), r.clock.Now(), "id", id)
	}
	r.send(b.md)
	r.sink.drain()
	require.EqualValues(t, 2, r.flushed()[0].value)
	r.save(context.Background())
	require.EqualValues(t, 2, r.counter("snapshot_failures"))
	d.fail(nil)
	require.NoError(t, r.stop())
}

// If downstream refuses the last flush, it is stored. If the storage fails, too, it is lost and counted, and the error of the
// shutdown has the number.
func TestRefusedAtShutdownIsStored(t *testing.T) {
	for name, broken := range map[string]bool{"stored": false, "storage broken": true} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			r := startRig(t, harness.NewClock(), d, onDisk(oneSeries))
			b := newBatch("orders")
			points := b.sum("requests", delta, true)
			for _, id := range []string{"a", "b", "c"} {
				put(points, 1, r.clock.Now(), r.clock.Now(), "id", id)
			}
			r.send(b.md)
			r.sink.drain()
			r.sink.refuse(errors.New("busy"))
			if broken {
				d.fail(errDisk)
				require.ErrorContains(t, r.Shutdown(context.Background()), "1 points of folded series are lost")
				require.NoError(t, r.tel.Shutdown(context.Background()))
				return
			}
			require.NoError(t, r.stop())
			r = r.restart(d, oneSeries)
			require.EqualValues(t, 2, r.flushed()[0].value)
			require.NoError(t, r.stop())
		})
	}
}

// Stored parts that cannot be read start empty and are counted by reason.
func TestDamagedSnapshots(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(d *disk)
		reason string
		parts  int64
	}{
		"manifest gone":      {func(d *disk) { delete(d.values, "manifest") }, "missing", 2},
		"manifest truncated": {func(d *disk) { d.values["manifest"] = d.values["manifest"][:7] }, "corrupt", 2},
		"manifest changed":   {func(d *disk) { flip(d.values["manifest"], 9) }, "corrupt", 2},
		"another version":    {func(d *disk) { flip(d.values["manifest"], 0) }, "version", 2},
		"a chunk gone": {func(d *disk) {
			delete(d.values, "limit.l.0.0")
			delete(d.values, "limit.l.1.0")
		}, "corrupt", 1},
		"a chunk changed": {func(d *disk) {
			flip(d.values["reaggregation.0.0"], 3)
			flip(d.values["reaggregation.1.0"], 3)
		}, "corrupt", 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			r := startRig(t, harness.NewClock(), d, onDisk(oneSeries))
			r.storm()
			require.NoError(t, r.flush(context.Background(), false))
			require.NoError(t, r.stop())
			c.damage(d)
			r = r.restart(d, oneSeries)
			require.Equal(t, c.parts, r.counter("empty_starts", "reason", c.reason))
			r.storm()
			require.NoError(t, r.stop())
			r = r.restart(d, oneSeries)
			require.Zero(t, r.counter("empty_starts"), "what is written anew is read")
			require.NoError(t, r.stop())
		})
	}
}

func flip(b []byte, at int) {
	if b != nil {
		b[at] ^= 1
	}
}

// storm sends three cumulative streams. There is one place.
func (r *rig) storm() {
	r.clock.Add(1e9)
	b := newBatch("orders")
	points := b.sum("requests", cumulative, true)
	for _, id := range []string{"a", "b", "c"} {
		put(points, r.clock.Now().Unix()-harness.NewClock().Now().Unix(), harness.NewClock().Now().Add(1), r.clock.Now(), "id", id)
	}
	r.send(b.md)
}

// Any byte of the stored state may be damaged, and it may end at any byte. The damaged part starts empty with a warning, and
// the others are restored.
func TestEveryByteOfASnapshot(t *testing.T) {
	d := newDisk()
	r := startRig(t, harness.NewClock(), d, onDisk(oneSeries))
	r.storm()
	require.NoError(t, r.flush(context.Background(), false))
	require.NoError(t, r.stop())
	whole := maps.Clone(d.values)
	cases := 0
	check := func(key string, damaged []byte) {
		d.values = maps.Clone(whole)
		d.values[key] = damaged
		again := r.restart(d, oneSeries)
		empty := again.counter("empty_starts")
		switch {
		case key == "manifest":
			require.EqualValues(t, 2, empty)
		case empty == 1:
			require.EqualValues(t, 1, again.counter("empty_starts", "reason", "corrupt"))
		default:
			require.Zero(t, empty, "a slot that is not in use, or the rules")
		}
		if strings.HasPrefix(key, "reaggregation") && empty == 1 || key == "manifest" {
			require.Zero(t, again.table.Tracked(), "not even half")
		} else {
			require.Equal(t, 3, again.table.Tracked())
		}
		require.NoError(t, again.stop())
		cases++
	}
	for key, value := range whole {
		for at := range value {
			flipped := bytes.Clone(value)
			flipped[at] ^= 1 << (at % 8)
			check(key, flipped)
			check(key, value[:at])
		}
	}
	require.Greater(t, cases, 500)
	t.Logf("%d cases", cases)
}

// Any call to the storage may fail. The process goes on, and the totals that it sends are right. The next process starts with
// all of a part or none of it.
func TestEveryCallFails(t *testing.T) {
	whole := newDisk()
	life := func(d *disk, c *harness.Clock) (r *rig, last int64) {
		r = startRig(t, c, d, onDisk(oneSeries))
		for range 3 {
			r.storm()
			r.sink.drain()
			for _, o := range r.flushed() {
				require.GreaterOrEqual(t, o.value, last)
				last = o.value
			}
			r.save(context.Background())
		}
		return r, last
	}
	clock := harness.NewClock()
	r, _ := life(whole, clock)
	require.NoError(t, r.stop())
	whole.calls = 0
	values := maps.Clone(whole.values)
	r, want := life(whole, clock)
	require.NoError(t, r.stop())
	require.Greater(t, whole.calls, 20)
	for failing := 1; failing <= whole.calls; failing++ {
		d := newDisk()
		d.values, d.failing = maps.Clone(values), failing
		c := harness.NewClock()
		c.Add(3e9)
		r, last := life(d, c)
		empty := r.counter("empty_starts")
		if empty == 0 {
			require.Equal(t, want, last)
		}
		_ = r.Shutdown(context.Background()) // its error has the points that were not stored
		failures := r.counterOnly("snapshot_failures")
		require.NoError(t, r.tel.Shutdown(context.Background()))
		if failing != 3 { // the section of rules, which then counts as changed
			require.Positivef(t, empty+failures, "call %d", failing)
		}
		d.failing = 0
		r = startRig(t, c, d, onDisk(oneSeries))
		require.Zero(t, r.counter("empty_starts", "reason", "corrupt"))
		require.NoError(t, r.stop())
	}
	t.Logf("%d calls", whole.calls)
}

// While the storage does not answer, points pass and are folded.
func TestStorageBlocks(t *testing.T) {
	d := newDisk()
	r := startRig(t, harness.NewClock(), d, onDisk(oneSeries))
	r.storm()
	r.sink.drain()
	release := make(chan struct{})
	d.mu.Lock()
	d.blocked = release
	d.mu.Unlock()
	done := make(chan error)
	go func() { done <- r.flush(context.Background(), false) }()
	for range 10 {
		r.storm()
		require.Len(t, observe(r.sink.drain()...), 1, "nothing that is not stored leaves")
	}
	close(release)
	require.NoError(t, <-done)
	require.EqualValues(t, 22, r.flushedAfter())
	require.NoError(t, r.stop())
}

// flushedAfter returns the value of the one series that the next flush sends.
func (r *rig) flushedAfter() int64 {
	r.sink.drain()
	return r.flushed()[0].value
}
