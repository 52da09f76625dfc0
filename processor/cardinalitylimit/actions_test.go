package cardinalitylimit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestGauges(t *testing.T) {
	for gauge, want := range map[string]int64{"last": 3, "min": 2, "max": 9, "sum": 12} {
		t.Run(gauge, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")}
				c.Reaggregate.Gauge = gauge
			})
			now := r.clock.Now()
			first := newBatch("orders")
			put(first.gauge("temperature"), 100, now, now, "id", "incumbent")
			r.send(first.md)
			require.Len(t, observe(r.sink.drain()...), 1)
			b := newBatch("orders")
			points := b.gauge("temperature")
			put(points, 2, now, now.Add(1*time.Second), "id", "a")
			put(points, 9, now, now.Add(2*time.Second), "id", "b")
			put(points, 3, now, now.Add(3*time.Second), "id", "a")
			r.send(b.md)
			require.Empty(t, observe(r.sink.drain()...))
			got := r.flushed()
			require.Len(t, got, 1)
			require.Equal(t, want, got[0].value)
			require.Equal(t, overflowOnly, got[0].attributes)
		})
	}
	t.Run("drop", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
		b := newBatch("orders")
		points := b.gauge("temperature")
		put(points, 1, r.clock.Now(), r.clock.Now(), "id", "a")
		put(points, 1, r.clock.Now(), r.clock.Now(), "id", "b")
		r.send(b.md)
		r.sink.drain()
		require.Empty(t, r.flushed())
		require.EqualValues(t, 1, r.counter("dropped_points", "reason", "gauge"))
	})
}

// The label over its limit is removed. The others stay and can be queried. The folded series is marked, so it never equals one
// that passed.
func TestStripKeepsOtherLabels(t *testing.T) {
	r := newRig(t, func(c *Config) {
		l := defaultLimit
		l.Name, l.Key, l.MaxValues, l.Action = "label", []string{"metric.name"}, 3, "strip"
		c.Limits = []LimitConfig{l}
	})
	start := r.clock.Now()
	for round := range 2 {
		r.clock.Add(10 * time.Second)
		b := newBatch("orders", "pod", "a")
		points := b.sum("requests", cumulative, true)
		for i := range 100 {
			value := int64(round + 1)
			if i < 3 {
				value += 1_000 // the heaviest have places
			}
			put(points, value, start, r.clock.Now(), "error", fmt.Sprint(i), "success", fmt.Sprint(i%2 == 0))
		}
		r.send(b.md)
	}
	require.Len(t, observe(r.sink.drain()...), 2*3)
	got := r.flushed()
	require.Len(t, got, 2)
	sums := map[any]int64{}
	for _, o := range got {
		require.Equal(t, map[string]any{"service.name": "orders", "pod": "a"}, o.resource)
		require.Equal(t, "app", o.scope)
		require.Len(t, o.attributes, 2)
		require.Equal(t, true, o.attributes["otel.metric.overflow"])
		sums[o.attributes["success"]] = o.value
	}
	require.Equal(t, map[any]int64{"true": 2 * 48, "false": 2 * 49}, sums)
	require.EqualValues(t, 2*97, r.counter("points", "limit", "label", "action", "strip"))
}

func TestTagMarksAndPasses(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "tag", "metric.name")} })
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	put(points, 2, r.clock.Now(), r.clock.Now(), "id", "a")
	put(points, 1, r.clock.Now(), r.clock.Now(), "id", "b")
	r.send(b.md)
	got := observe(r.sink.drain()...)
	require.Len(t, got, 2)
	require.Equal(t, map[string]any{"id": "a"}, got[0].attributes)
	require.Equal(t, map[string]any{"id": "b", tagAttribute: "l"}, got[1].attributes)
}

func TestIncomingOverflowJoinsOurs(t *testing.T) {
	r := newRig(t, nil)
	b := newBatch("orders", "pod", "a")
	points := b.sum("requests", delta, true)
	put(points, 5, r.clock.Now(), r.clock.Now(), "id", "a")
	put(points, 7, r.clock.Now(), r.clock.Now()).Attributes().PutBool("otel.metric.overflow", true)
	r.send(b.md)
	require.Len(t, observe(r.sink.drain()...), 1)
	got := r.flushed()
	require.Len(t, got, 1)
	require.EqualValues(t, 7, got[0].value)
	require.Equal(t, map[string]any{"service.name": "orders", "service.instance.id": "gateway/cardinalitylimit"}, got[0].resource)
}

func TestStaleNeverAdmits(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(2, "overflow", "metric.name")} })
	stale := func(id string) []observation {
		b := newBatch("orders")
		put(b.sum("requests", cumulative, true), 0, r.clock.Now(), r.clock.Now(), "id", id).
			SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		r.send(b.md)
		return observe(r.sink.drain()...)
	}
	b := newBatch("orders")
	put(b.sum("requests", cumulative, true), 1, r.clock.Now(), r.clock.Now(), "id", "a")
	r.send(b.md)
	r.sink.drain()
	require.Len(t, stale("a"), 1)
	require.Empty(t, stale("b"))
	require.EqualValues(t, 1, r.counter("series", "limit", "l"))
}

func TestNonFiniteIsNeverFolded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	put(points, 1, r.clock.Now(), r.clock.Now(), "id", "incumbent")
	put(points, 1, r.clock.Now(), r.clock.Now(), "id", "a")
	put(points, 0, r.clock.Now(), r.clock.Now(), "id", "b").SetDoubleValue(nan())
	put(points, 0, r.clock.Now(), r.clock.Now(), "id", "c").SetDoubleValue(inf())
	r.send(b.md)
	r.sink.drain()
	require.EqualValues(t, 1, r.flushed()[0].value)
	require.EqualValues(t, 2, r.counter("dropped_points", "reason", "non_finite"))
}
