package cardinalitylimit

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestDefaultLimitHoldsAndDeltasAdd(t *testing.T) {
	r := newRig(t, nil)
	now := r.clock.Now()
	r.clock.Add(time.Minute)
	b := newBatch("orders", "pod", "a")
	points := b.sum("requests", delta, true)
	for i := range 700 {
		put(points, 2, now.Add(time.Second), now.Add(10*time.Second), "id", fmt.Sprint(i))
	}
	r.send(b.md)
	require.Len(t, observe(r.sink.drain()...), 500)

	got := r.flushed()
	require.Len(t, got, 1)
	require.Equal(t, observation{
		resource:   map[string]any{"service.name": "orders", "service.instance.id": "gateway/cardinalitylimit"},
		attributes: overflowOnly, scope: scopeName, name: "requests", value: 400,
		start: now.Add(time.Second).UTC(), time: now.Add(10 * time.Second).UTC(),
	}, got[0])
	require.Empty(t, r.flushed(), "nothing new")

	require.EqualValues(t, 500, r.counter("points", "limit", "none", "action", "pass", "mode", "enforce"))
	require.EqualValues(t, 200, r.counter("points", "limit", "metric", "action", "overflow", "mode", "enforce"))
	require.EqualValues(t, 200, r.counter("folded_points"))
	require.EqualValues(t, 500, r.counter("series", "limit", "metric"))
	require.EqualValues(t, 500, r.counter("max_series", "limit", "metric"))
	require.EqualValues(t, 1, r.counter("keys_near_limit", "limit", "metric"))
	require.Positive(t, r.counter("tracker_bytes"))
	require.EqualValues(t, 1, r.counter("tracked_streams"))
}

// Equal attribute sets are one series, from any resource. With count: streams they are different series.
func TestCountAttributesAndStreams(t *testing.T) {
	for count, passing := range map[string]int{countAttributes: 40 * 13, countStreams: 20} {
		r := newRig(t, func(c *Config) {
			l := limitOf(20, "drop", "resource.service.name", "metric.name")
			l.Count = count
			c.Limits = []LimitConfig{l}
		})
		for pod := range 40 {
			b := newBatch("orders", "pod", fmt.Sprint(pod))
			points := b.sum("requests", delta, true)
			for route := range 13 {
				put(points, 1, r.clock.Now(), r.clock.Now(), "route", fmt.Sprint(route))
			}
			r.send(b.md)
		}
		require.Len(t, observe(r.sink.drain()...), passing, count)
	}
}

// Numbers stay numbers, also if senders make them as large as they can.
func TestOverflowSeriesStaysFinite(t *testing.T) {
	for _, temporality := range []pmetric.AggregationTemporality{delta, cumulative} {
		r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
		start := r.clock.Now()
		r.clock.Add(time.Second)
		b := newBatch("orders")
		for i := range 4 {
			points := b.sum("requests", temporality, true)
			put(points, 0, start, r.clock.Now(), "id", fmt.Sprint(i)).SetDoubleValue(math.MaxFloat64)
		}
		r.send(b.md)
		r.sink.drain()
		require.NoError(t, r.flush(context.Background(), false))
		out := r.sink.drain()
		require.Len(t, out, 1)
		m := out[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
		require.InDelta(t, math.MaxFloat64, m.Sum().DataPoints().At(0).DoubleValue(), 0)
		require.EqualValues(t, 2, r.counter("saturated_points"))
	}
}

func TestDeltaIntervalsTouch(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	var got []observation
	total := int64(0)
	first := r.clock.Now()
	for i := range 20 {
		from := r.clock.Now()
		r.clock.Add(10 * time.Second)
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		put(points, 1, from, r.clock.Now(), "id", "incumbent")
		put(points, int64(i), from, r.clock.Now().Add(-time.Duration(i%3)*time.Second), "id", fmt.Sprint(i))
		total += int64(i)
		r.send(b.md)
		r.sink.drain()
		if i%2 == 0 {
			got = append(got, r.flushed()...)
		}
	}
	got = append(got, r.flushed()...)
	sum := got[0].value
	require.Equal(t, first.UTC(), got[0].start)
	for i := 1; i < len(got); i++ {
		require.Equal(t, got[i-1].time, got[i].start)
		require.True(t, got[i].time.After(got[i].start))
		sum += got[i].value
	}
	require.Equal(t, total, sum)
}

func TestMetadataGoesAlong(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(1, "overflow", "metadata.X-Tenant", "metric.name")}
	})
	for _, tenant := range []string{"acme", "umbrella"} {
		ctx := client.NewContext(context.Background(), client.Info{
			Metadata: client.NewMetadata(map[string][]string{"x-tenant": {tenant}, "other": {"1"}}),
		})
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		put(points, 100, r.clock.Now(), r.clock.Now(), "id", "a")
		put(points, int64(len(tenant)), r.clock.Now(), r.clock.Now(), "id", "b")
		require.NoError(t, r.ConsumeMetrics(ctx, b.md))
	}
	r.sink.drain()
	r.sink.metadata = nil
	got := r.flushed()
	require.Len(t, got, 2)
	for i, md := range r.sink.metadata {
		require.Len(t, md.Get("x-tenant"), 1)
		require.EqualValues(t, len(md.Get("x-tenant")[0]), got[i].value)
		require.Empty(t, md.Get("other"))
	}
}

func TestExemptAndOverrides(t *testing.T) {
	r := newRig(t, func(c *Config) {
		l := limitOf(2, "drop", "metric.name")
		l.Overrides = []OverrideConfig{{Match: map[string]any{"metrics": []any{`http\..*`}}, MaxSeries: 5}}
		c.Limits = []LimitConfig{l}
		c.Exempt.Metrics = []string{"up", "otelcol_.*"}
	})
	for name, want := range map[string]int{"up": 10, "upper": 2, "otelcol_x": 10, "http.requests": 5, "xhttp.y": 2} {
		b := newBatch("orders")
		points := b.sum(name, delta, true)
		for i := range 10 {
			put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
		}
		r.send(b.md)
		require.Len(t, observe(r.sink.drain()...), want, name)
	}
}
