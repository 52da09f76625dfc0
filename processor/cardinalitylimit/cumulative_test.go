package cardinalitylimit

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestCumulativeOverflow(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	start := r.clock.Now()
	old := start.Add(-time.Hour)
	step := func(values map[string][2]int64) (passed []observation, overflow []observation) {
		r.clock.Add(10 * time.Second)
		b := newBatch("orders")
		points := b.sum("requests", cumulative, true)
		for _, id := range []string{"incumbent", "new", "old"} {
			if v, ok := values[id]; ok {
				from := old
				if v[1] >= 0 {
					from = start.Add(time.Duration(v[1]) * time.Second)
				}
				put(points, v[0], from, r.clock.Now(), "id", id)
			}
		}
		r.send(b.md)
		return observe(r.sink.drain()...), r.flushed()
	}
	one := func(o []observation) observation {
		t.Helper()
		require.Len(t, o, 1)
		require.Equal(t, overflowOnly, o[0].attributes)
		require.Equal(t, start.UTC(), o[0].start)
		return o[0]
	}
	passed, overflow := step(map[string][2]int64{"incumbent": {5, 0}})
	require.Len(t, passed, 1)
	require.Empty(t, overflow)

	// "new" began after the processor and counts in full; "old" is a baseline.
	_, overflow = step(map[string][2]int64{"incumbent": {6, 0}, "new": {10, 1}, "old": {1000, -1}})
	require.EqualValues(t, 10, one(overflow).value)
	require.EqualValues(t, 1, r.counter("unbaselined_points"))

	_, overflow = step(map[string][2]int64{"incumbent": {7, 0}, "new": {15, 1}, "old": {1001, -1}})
	require.EqualValues(t, 16, one(overflow).value)

	// A lower value and a changed start are resets: the whole value is growth.
	_, overflow = step(map[string][2]int64{"incumbent": {7, 0}, "new": {4, 1}, "old": {2000, 30}})
	require.EqualValues(t, 2020, one(overflow).value)

	// One contributor vanishes. The total stays and is repeated.
	_, overflow = step(map[string][2]int64{"incumbent": {7, 0}, "new": {6, 1}})
	require.EqualValues(t, 2022, one(overflow).value)
	_, overflow = step(map[string][2]int64{"incumbent": {7, 0}})
	require.EqualValues(t, 2022, one(overflow).value)

	// No contributor lives any more. The series ends.
	for range 7 {
		r.clock.Add(10 * time.Minute)
		step(map[string][2]int64{"incumbent": {7, 0}})
		r.maintain()
	}
	_, overflow = step(map[string][2]int64{"incumbent": {7, 0}})
	require.Empty(t, overflow)
	require.Zero(t, r.counter("tracked_streams"))
}

func TestOutOfOrderIsDroppedAndCounted(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	start := r.clock.Now()
	for i, at := range []int{10, 20, 20, 15, 30} {
		b := newBatch("orders")
		points := b.sum("requests", cumulative, true)
		put(points, 10_000, start, start.Add(time.Second), "id", "incumbent")
		put(points, int64(100*(i+1)), start, start.Add(time.Duration(at)*time.Second), "id", "x")
		r.send(b.md)
	}
	r.sink.drain()
	r.clock.Add(time.Minute)
	require.EqualValues(t, 500, r.flushed()[0].value)
	require.EqualValues(t, 2, r.counter("dropped_points", "reason", "out_of_order"))
}

// A stream that gets a place after it was folded continues from its last folded value. Its start is its last folded time.
func TestAdmittedAfterOverflow(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	start := r.clock.Now()
	value := int64(0)
	report := func(ids ...string) []observation {
		b := newBatch("orders")
		points := b.sum("requests", cumulative, true)
		for _, id := range ids {
			value += 10
			put(points, value, start, r.clock.Now(), "id", id)
		}
		r.send(b.md)
		return observe(r.sink.drain()...)
	}
	r.clock.Add(time.Minute)
	report("a") // 10
	report("x") // 20
	r.clock.Add(20 * time.Minute)
	report("x") // 30
	last := r.clock.Now()
	require.EqualValues(t, 30, r.flushed()[0].value)
	r.clock.Add(50 * time.Minute) // a is forgotten
	got := report("x")            // 40
	require.Len(t, got, 1)
	require.EqualValues(t, 10, got[0].value)
	require.Equal(t, last.UTC(), got[0].start)
	require.Equal(t, map[string]any{"id": "x"}, got[0].attributes)
	require.Empty(t, r.flushed(), "no contributor is left")
	r.clock.Add(time.Minute)
	got = report("x") // 50
	require.EqualValues(t, 20, got[0].value)
	require.Equal(t, last.UTC(), got[0].start)
}

func TestNonMonotonicSumOfLiveStreams(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	send := func(values map[string]int64) int64 {
		r.clock.Add(time.Second)
		first := newBatch("orders")
		put(first.sum("in_flight", cumulative, false), 1, r.clock.Now(), r.clock.Now(), "id", "incumbent")
		r.send(first.md)
		b := newBatch("orders")
		points := b.sum("in_flight", cumulative, false)
		for _, id := range []string{"a", "b"} {
			if v, ok := values[id]; ok {
				p := put(points, v, r.clock.Now(), r.clock.Now(), "id", id)
				if v < 0 {
					p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
				}
			}
		}
		r.send(b.md)
		r.sink.drain()
		return r.flushed()[0].value
	}
	require.EqualValues(t, 7, send(map[string]int64{"a": 3, "b": 4}))
	require.EqualValues(t, 5, send(map[string]int64{"a": 1}))
	require.EqualValues(t, 4, send(map[string]int64{"a": -1}), "a stale point ends its stream")
}

// The growth of a stream before it got a place, or before it ended, leaves even if no stream contributes any more.
func TestLastGrowthLeaves(t *testing.T) {
	r := newRig(t, oneSeries)
	start := r.clock.Now()
	send := func(id string, value int64, stale bool) {
		r.clock.Add(time.Second)
		b := newBatch("orders")
		p := put(b.sum("requests", cumulative, true), value, start, r.clock.Now(), "id", id)
		p.SetFlags(p.Flags().WithNoRecordedValue(stale))
		r.send(b.md)
		r.sink.drain()
	}
	send("a", 1, false)
	send("b", 10, false)
	send("b", 0, true)
	require.EqualValues(t, 10, r.flushed()[0].value)
	require.Empty(t, r.flushed())
	send("b", 15, false)
	send("b", 0, true)
	r.sink.refuse(errors.New("busy"))
	require.Empty(t, r.flushed())
	r.sink.refuse(nil)
	require.EqualValues(t, 15, r.flushed()[0].value)
	require.Empty(t, r.flushed())
}

// A series that passed and lost its place is folded. It counts from its first folded value on, because its value until then has
// left already. The same is true for the values of a label.
func TestForgottenSeriesIsABaseline(t *testing.T) {
	label := defaultLimit
	label.Name, label.Key, label.MaxValues, label.Action = "l", []string{"metric.name"}, 1, "strip"
	for _, l := range []LimitConfig{limitOf(1, "overflow", "metric.name"), label} {
		t.Run(l.Action, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{l} })
			r.clock.Add(time.Second)
			start := r.clock.Now()
			report := func(id string, value int64) []observation {
				r.clock.Add(time.Second)
				b := newBatch("orders")
				put(b.sum("requests", cumulative, true), value, start, r.clock.Now(), "id", id)
				r.send(b.md)
				return observe(r.sink.drain()...)
			}
			require.Len(t, report("a", 1000), 1)
			for range 4 { // "b" gets the place that "a" lost
				r.clock.Add(20 * time.Minute)
				report("b", 1)
			}
			require.Len(t, report("b", 1), 1)
			r.flushed()
			require.Empty(t, report("a", 1001))
			require.Empty(t, report("a", 1005))
			got := r.flushed()
			require.Len(t, got, 1)
			require.EqualValues(t, 1+4, got[0].value, "b before it had a place, what a grew by")
			require.EqualValues(t, 1, r.counter("unbaselined_points"))
		})
	}
}

// A monotonic sum below zero contradicts itself. Such a whole value is a baseline, so that the overflow series never decreases.
func TestMonotonicSumsBelowZero(t *testing.T) {
	r := newRig(t, oneSeries)
	start := r.clock.Now().Add(1)
	report := func(id string, v int64) {
		r.clock.Add(time.Second)
		b := newBatch("orders")
		put(b.sum("requests", cumulative, true), v, start, r.clock.Now(), "id", id)
		r.send(b.md)
		r.sink.drain()
	}
	report("incumbent", 1)
	for _, next := range []struct{ value, total int64 }{{-3, 0}, {10, 13}, {-5, 13}, {-3, 15}, {7, 25}, {2, 27}} {
		report("a", next.value)
		require.Equal(t, next.total, r.flushed()[0].value, "after %d", next.value)
	}
	require.EqualValues(t, 2, r.counter("unbaselined_points"))
}

// A sum without temporality is folded as a cumulative one. So it continues with its growth when it gets a place.
func TestUnspecifiedTemporality(t *testing.T) {
	r := newRig(t, oneSeries)
	start := r.clock.Now().Add(1)
	var passed, folded int64
	report := func(id string, v int64) {
		b := newBatch("orders")
		put(b.sum("requests", pmetric.AggregationTemporalityUnspecified, true), v, start, r.clock.Now(), "id", id)
		r.send(b.md)
		for _, o := range observe(r.sink.drain()...) {
			if o.attributes["id"] == "a" {
				passed = o.value
			}
		}
		for _, o := range r.flushed() {
			folded = o.value
		}
	}
	report("incumbent", 1)
	for v := int64(10); v <= 40; v += 10 {
		r.clock.Add(time.Second)
		if v > 20 {
			r.clock.Add(40 * time.Minute) // the incumbent loses its place
		}
		report("a", v)
	}
	require.Positive(t, passed)
	require.EqualValues(t, 40, passed+folded)
}
