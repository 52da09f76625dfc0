package cardinalitylimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadatatest"
)

var overflowOnly = map[string]any{"otel.metric.overflow": true}

func sumWhere(data metricdata.Aggregation, labels []string) (sum int64) {
	add := func(points []metricdata.DataPoint[int64]) {
		for _, p := range points {
			match := true
			for i := 0; i < len(labels); i += 2 {
				v, ok := p.Attributes.Value(attributeKey(labels[i]))
				match = match && ok && v.AsString() == labels[i+1]
			}
			if match {
				sum += p.Value
			}
		}
	}
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		add(d.DataPoints)
	case metricdata.Gauge[int64]:
		add(d.DataPoints)
	}
	return sum
}

func TestDefaultLimitHoldsAndDeltasAdd(t *testing.T) {
	r := newRig(t, nil)
	now := r.clock.now()
	r.clock.add(time.Minute)
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
				put(points, 1, r.clock.now(), r.clock.now(), "route", fmt.Sprint(route))
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
		start := r.clock.now()
		r.clock.add(time.Second)
		b := newBatch("orders")
		for i := range 4 {
			points := b.sum("requests", temporality, true)
			put(points, 0, start, r.clock.now(), "id", fmt.Sprint(i)).SetDoubleValue(math.MaxFloat64)
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
	first := r.clock.now()
	for i := range 20 {
		from := r.clock.now()
		r.clock.add(10 * time.Second)
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		put(points, 1, from, r.clock.now(), "id", "incumbent")
		put(points, int64(i), from, r.clock.now().Add(-time.Duration(i%3)*time.Second), "id", fmt.Sprint(i))
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

func TestCumulativeOverflow(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	start := r.clock.now()
	old := start.Add(-time.Hour)
	step := func(values map[string][2]int64) (passed []observation, overflow []observation) {
		r.clock.add(10 * time.Second)
		b := newBatch("orders")
		points := b.sum("requests", cumulative, true)
		for _, id := range []string{"incumbent", "new", "old"} {
			if v, ok := values[id]; ok {
				from := old
				if v[1] >= 0 {
					from = start.Add(time.Duration(v[1]) * time.Second)
				}
				put(points, v[0], from, r.clock.now(), "id", id)
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
		r.clock.add(10 * time.Minute)
		step(map[string][2]int64{"incumbent": {7, 0}})
		r.maintain()
	}
	_, overflow = step(map[string][2]int64{"incumbent": {7, 0}})
	require.Empty(t, overflow)
	require.Zero(t, r.counter("tracked_streams"))
}

func TestOutOfOrderIsDroppedAndCounted(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	start := r.clock.now()
	for i, at := range []int{10, 20, 20, 15, 30} {
		b := newBatch("orders")
		points := b.sum("requests", cumulative, true)
		put(points, 10_000, start, start.Add(time.Second), "id", "incumbent")
		put(points, int64(100*(i+1)), start, start.Add(time.Duration(at)*time.Second), "id", "x")
		r.send(b.md)
	}
	r.sink.drain()
	r.clock.add(time.Minute)
	require.EqualValues(t, 500, r.flushed()[0].value)
	require.EqualValues(t, 2, r.counter("dropped_points", "reason", "out_of_order"))
}

// A stream that gets a place after it was folded continues from its last folded value. Its start is its last folded time.
func TestAdmittedAfterOverflow(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	start := r.clock.now()
	value := int64(0)
	report := func(ids ...string) []observation {
		b := newBatch("orders")
		points := b.sum("requests", cumulative, true)
		for _, id := range ids {
			value += 10
			put(points, value, start, r.clock.now(), "id", id)
		}
		r.send(b.md)
		return observe(r.sink.drain()...)
	}
	r.clock.add(time.Minute)
	report("a") // 10
	report("x") // 20
	r.clock.add(20 * time.Minute)
	report("x") // 30
	last := r.clock.now()
	require.EqualValues(t, 30, r.flushed()[0].value)
	r.clock.add(50 * time.Minute) // a is forgotten
	got := report("x")            // 40
	require.Len(t, got, 1)
	require.EqualValues(t, 10, got[0].value)
	require.Equal(t, last.UTC(), got[0].start)
	require.Equal(t, map[string]any{"id": "x"}, got[0].attributes)
	require.Empty(t, r.flushed(), "no contributor is left")
	r.clock.add(time.Minute)
	got = report("x") // 50
	require.EqualValues(t, 20, got[0].value)
	require.Equal(t, last.UTC(), got[0].start)
}

func TestNonMonotonicSumOfLiveStreams(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	send := func(values map[string]int64) int64 {
		r.clock.add(time.Second)
		first := newBatch("orders")
		put(first.sum("in_flight", cumulative, false), 1, r.clock.now(), r.clock.now(), "id", "incumbent")
		r.send(first.md)
		b := newBatch("orders")
		points := b.sum("in_flight", cumulative, false)
		for _, id := range []string{"a", "b"} {
			if v, ok := values[id]; ok {
				p := put(points, v, r.clock.now(), r.clock.now(), "id", id)
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

func TestGauges(t *testing.T) {
	for gauge, want := range map[string]int64{"last": 3, "min": 2, "max": 9, "sum": 12} {
		t.Run(gauge, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")}
				c.Reaggregate.Gauge = gauge
			})
			now := r.clock.now()
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
		put(points, 1, r.clock.now(), r.clock.now(), "id", "a")
		put(points, 1, r.clock.now(), r.clock.now(), "id", "b")
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
	start := r.clock.now()
	for round := range 2 {
		r.clock.add(10 * time.Second)
		b := newBatch("orders", "pod", "a")
		points := b.sum("requests", cumulative, true)
		for i := range 100 {
			value := int64(round + 1)
			if i < 3 {
				value += 1_000 // the heaviest have places
			}
			put(points, value, start, r.clock.now(), "error", fmt.Sprint(i), "success", fmt.Sprint(i%2 == 0))
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
	put(points, 2, r.clock.now(), r.clock.now(), "id", "a")
	put(points, 1, r.clock.now(), r.clock.now(), "id", "b")
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
	put(points, 5, r.clock.now(), r.clock.now(), "id", "a")
	put(points, 7, r.clock.now(), r.clock.now()).Attributes().PutBool("otel.metric.overflow", true)
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
		put(b.sum("requests", cumulative, true), 0, r.clock.now(), r.clock.now(), "id", id).
			SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		r.send(b.md)
		return observe(r.sink.drain()...)
	}
	b := newBatch("orders")
	put(b.sum("requests", cumulative, true), 1, r.clock.now(), r.clock.now(), "id", "a")
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
	put(points, 1, r.clock.now(), r.clock.now(), "id", "incumbent")
	put(points, 1, r.clock.now(), r.clock.now(), "id", "a")
	put(points, 0, r.clock.now(), r.clock.now(), "id", "b").SetDoubleValue(nan())
	put(points, 0, r.clock.now(), r.clock.now(), "id", "c").SetDoubleValue(inf())
	r.send(b.md)
	r.sink.drain()
	require.EqualValues(t, 1, r.flushed()[0].value)
	require.EqualValues(t, 2, r.counter("dropped_points", "reason", "non_finite"))
}

// Exemplars of folded points leave with their series, with the labels that it lacks. Each leaves once, and at most 20 per
// point. Exemplars of passing points are unchanged.
func TestExemplarsSurvive(t *testing.T) {
	const folded = 30
	r := newRig(t, oneSeries)
	start := r.clock.now()
	step := func(round int) pmetric.Metrics {
		b := newBatch("orders")
		for _, temporality := range []pmetric.AggregationTemporality{delta, cumulative} {
			sums := b.sum(fmt.Sprint("requests", temporality), temporality, true)
			h, e := b.sm.Metrics().AppendEmpty(), b.sm.Metrics().AppendEmpty()
			h.SetName(fmt.Sprint("latency", temporality))
			h.SetEmptyHistogram().SetAggregationTemporality(temporality)
			e.SetName(fmt.Sprint("size", temporality))
			e.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
			for id := range 1 + folded {
				fill := func(s pmetric.ExemplarSlice) {
					x := s.AppendEmpty()
					x.SetDoubleValue(float64(id%3) + 0.5)
					x.SetTraceID([16]byte{byte(round), byte(id)})
					x.SetTimestamp(pcommon.NewTimestampFromTime(r.clock.now()))
					x.FilteredAttributes().PutStr("user", "u")
				}
				fill(put(sums, int64(round), start, r.clock.now(), "id", fmt.Sprint(id)).Exemplars())
				q := h.Histogram().DataPoints().AppendEmpty()
				label(q, start, r.clock.now(), []string{"id", fmt.Sprint(id)})
				q.SetCount(uint64(round))
				q.ExplicitBounds().FromRaw([]float64{1, 2})
				q.BucketCounts().FromRaw([]uint64{uint64(round), 0, 0})
				fill(q.Exemplars())
				z := e.ExponentialHistogram().DataPoints().AppendEmpty()
				label(z, start, r.clock.now(), []string{"id", fmt.Sprint(id)})
				z.SetCount(uint64(round))
				z.SetZeroCount(uint64(round))
				fill(z.Exemplars())
			}
		}
		return b.md
	}
	seen := func() map[string][]pmetric.Exemplar {
		out := map[string][]pmetric.Exemplar{}
		for _, md := range r.sink.drain() {
			for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				var s pmetric.ExemplarSlice
				switch m.Type() {
				case pmetric.MetricTypeSum:
					s = m.Sum().DataPoints().At(0).Exemplars()
				case pmetric.MetricTypeHistogram:
					s = m.Histogram().DataPoints().At(0).Exemplars()
				default:
					s = m.ExponentialHistogram().DataPoints().At(0).Exemplars()
				}
				out[m.Name()] = []pmetric.Exemplar{}
				for _, e := range s.All() {
					out[m.Name()] = append(out[m.Name()], e)
				}
			}
		}
		return out
	}
	for round := 1; round <= 3; round++ {
		r.clock.add(time.Second)
		r.send(step(round))
		for name, passed := range seen() {
			require.Len(t, passed, 1, name)
			require.Equal(t, map[string]any{"user": "u"}, passed[0].FilteredAttributes().AsRaw())
		}
		if round == 2 { // the points of the refused flush are not lost
			r.sink.refuse(errors.New("busy"))
			require.NoError(t, r.flush(context.Background(), false))
			r.sink.refuse(nil)
		}
		require.NoError(t, r.flush(context.Background(), false))
		got := seen()
		require.Len(t, got, 6)
		for name, kept := range got {
			want := 20
			if strings.HasPrefix(name, "latency") {
				want = 3 // one per bucket
			}
			require.Len(t, kept, want, name)
			for _, e := range kept {
				trace := e.TraceID()
				require.EqualValues(t, round, trace[0], "those of before have left")
				require.Equal(t, map[string]any{"user": "u", "id": fmt.Sprint(trace[1])}, e.FilteredAttributes().AsRaw())
			}
		}
		require.NoError(t, r.flush(context.Background(), false))
		for name, again := range seen() {
			require.Empty(t, again, name)
		}
		require.EqualValues(t, round*2*(10+10+27), r.counter("dropped_exemplars"))
	}
}

// The exemplars of senders are bounded, and their memory is released.
func TestExemplarsAreBounded(t *testing.T) {
	r := newRig(t, oneSeries)
	used := r.counter("tracker_bytes")
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	for id := range 2 {
		p := put(points, int64(2-id), r.clock.now(), r.clock.now(), "id", fmt.Sprint(id), "long", strings.Repeat("x", 5_000))
		for n := range 1_000 {
			e := p.Exemplars().AppendEmpty()
			e.SetIntValue(1)
			for i := range []int{5, 100}[n%2] { // there is memory for short exemplars only
				e.FilteredAttributes().PutStr(fmt.Sprint("label", i), strings.Repeat("y", 20))
			}
		}
	}
	r.send(b.md)
	r.sink.drain()
	require.EqualValues(t, 1_000-20, r.counter("dropped_exemplars"))
	held := r.counter("tracker_bytes")
	require.Greater(t, held, used+20*256)
	require.Less(t, held, used+200_000)
	require.NoError(t, r.flush(context.Background(), false))
	out := r.sink.drain()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
	require.Equal(t, 20, out.Exemplars().Len())
	for _, e := range out.Exemplars().All() {
		require.LessOrEqual(t, e.FilteredAttributes().Len(), 32)
		_, long := e.FilteredAttributes().Get("long")
		require.False(t, long)
	}
	require.Less(t, r.counter("tracker_bytes"), held-20*256)
}

// The growth of a stream before it got a place, or before it ended, leaves even if no stream contributes any more.
func TestLastGrowthLeaves(t *testing.T) {
	r := newRig(t, oneSeries)
	start := r.clock.now()
	send := func(id string, value int64, stale bool) {
		r.clock.add(time.Second)
		b := newBatch("orders")
		p := put(b.sum("requests", cumulative, true), value, start, r.clock.now(), "id", id)
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

// If downstream refuses a batch, the sender sends it again. Its folded points must not count twice.
func TestRefusedBatchIsFoldedOnce(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	make := func() pmetric.Metrics {
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		put(points, 10, r.clock.now(), r.clock.now(), "id", "incumbent")
		put(points, 3, r.clock.now(), r.clock.now(), "id", "x")
		return b.md
	}
	r.sink.refuse(errors.New("busy"))
	for range 3 {
		require.Error(t, r.ConsumeMetrics(context.Background(), make()))
	}
	r.sink.refuse(nil)
	r.send(make())
	r.sink.drain()
	require.EqualValues(t, 3, r.flushed()[0].value)
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
		put(points, 100, r.clock.now(), r.clock.now(), "id", "a")
		put(points, int64(len(tenant)), r.clock.now(), r.clock.now(), "id", "b")
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
			put(points, 1, r.clock.now(), r.clock.now(), "id", fmt.Sprint(i))
		}
		r.send(b.md)
		require.Len(t, observe(r.sink.drain()...), want, name)
	}
}

func TestShutdownFlushes(t *testing.T) {
	clock, out, tel := newClock(), &sink{}, componenttest.NewTelemetry()
	f := factoryAt(clock)
	cfg := config(func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	p, err := f.createMetrics(context.Background(), metadatatest.NewSettings(tel), cfg, out)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	put(points, 10, clock.now(), clock.now(), "id", "a")
	put(points, 3, clock.now(), clock.now(), "id", "b")
	require.NoError(t, p.ConsumeMetrics(context.Background(), b.md))
	out.drain()
	require.NoError(t, p.Shutdown(context.Background()))
	got := observe(out.drain()...)
	require.Len(t, got, 1)
	require.EqualValues(t, 3, got[0].value)
	require.NoError(t, p.Shutdown(context.Background()), "a second time")
	require.NoError(t, tel.Shutdown(context.Background()))
}

// One ID in two pipelines is two writers.
func TestTwoPipelinesAreTwoWriters(t *testing.T) {
	w := newWriters()
	id := component.MustNewID("cardinalitylimit")
	a, b := w.acquire(id), w.acquire(id)
	require.Equal(t, "cardinalitylimit", a)
	require.Equal(t, "cardinalitylimit/2", b)
	w.release(a)
	require.Equal(t, a, w.acquire(id))
}

// A series that passed and lost its place is folded. It counts from its first folded value on, because its value until then has
// left already. The same is true for the values of a label.
func TestForgottenSeriesIsABaseline(t *testing.T) {
	label := defaultLimit
	label.Name, label.Key, label.MaxValues, label.Action = "l", []string{"metric.name"}, 1, "strip"
	for _, l := range []LimitConfig{limitOf(1, "overflow", "metric.name"), label} {
		t.Run(l.Action, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{l} })
			r.clock.add(time.Second)
			start := r.clock.now()
			report := func(id string, value int64) []observation {
				r.clock.add(time.Second)
				b := newBatch("orders")
				put(b.sum("requests", cumulative, true), value, start, r.clock.now(), "id", id)
				r.send(b.md)
				return observe(r.sink.drain()...)
			}
			require.Len(t, report("a", 1000), 1)
			for range 4 { // "b" gets the place that "a" lost
				r.clock.add(20 * time.Minute)
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
