package cardinalitylimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func ruleOf(metrics string, drop ...string) LabelsConfig {
	return LabelsConfig{
		Match: map[string]any{"metrics": []any{metrics}}, Drop: drop, Gauge: "last", MaxStreams: 50_000,
	}
}

// The test has random streams of all types and temporalities, resets and refusals. The points without the dropped labels add up
// to the ledger, in one series per metric and instance.
func TestLabelRulesConserveTotals(t *testing.T) {
	for name, rule := range map[string]LabelsConfig{
		"label":    ruleOf(".*", "id"),
		"resource": ruleOf(".*", "id", `resource.k8s\..*`),
		"keep":     {Match: map[string]any{"resource.service.name": "orders"}, Keep: []string{"other"}, Gauge: "last", MaxStreams: 50_000},
		"nobody's": ruleOf(".*", "user"),
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(10) {
				rng := rand.New(rand.NewPCG(seed, 21))
				r := newRig(t, func(c *Config) { c.Labels = []LabelsConfig{rule} })
				down := newReader(t)
				ledger := map[string]totals{}
				var sources []*source
				r.clock.Add(time.Second)
				for _, k := range kinds {
					for id := range 6 {
						s := &source{kind: k, id: id}
						s.begin(r.clock.Now())
						sources = append(sources, s)
					}
				}
				for range 30 {
					r.clock.Add(time.Second)
					pods := []*batch{newBatch("orders", "k8s.pod", "a"), newBatch("orders", "k8s.pod", "b")}
					rng.Shuffle(len(sources), func(i, k int) { sources[i], sources[k] = sources[k], sources[i] })
					for _, s := range sources {
						if rng.IntN(20) == 0 {
							s.begin(r.clock.Now().Add(-time.Millisecond))
						}
						grown := s.observe(rng)
						sum := ledger[s.name()]
						sum.plus(grown)
						ledger[s.name()] = sum
						reading := s.read(r.clock.Now())
						reading.appendTo(pods[s.id%2])
					}
					for _, b := range pods {
						r.send(b.md)
					}
					require.Empty(t, r.sink.drain(), "every point of a matched metric folds")
					r.sink.refuse(nil)
					if rng.IntN(4) == 0 {
						r.sink.refuse(errors.New("busy"))
					}
					require.NoError(t, r.flush(context.Background(), false))
					for _, md := range r.sink.drain() {
						down.read(md)
					}
				}
				r.sink.refuse(nil)
				r.clock.Add(time.Second)
				require.NoError(t, r.flush(context.Background(), false))
				for _, md := range r.sink.drain() {
					down.read(md)
				}
				require.Equal(t, ledger, down.total, "seed %d", seed)
				series := map[string]int{"label": 2, "resource": 1, "keep": 2, "nobody's": 6}[name]
				require.Len(t, down.last, series*len(kinds))
			}
		})
	}
}

// Deleting the label without a rule would leave the value of the last writer: ten of 200.
func TestRuleAddsWhatADeletionLoses(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Labels = []LabelsConfig{ruleOf(`http\..*`, "user.id")} })
	r.clock.Add(time.Second)
	start := r.clock.Now()
	for range 2 {
		r.clock.Add(time.Minute)
		b := newBatch("orders", "service.instance.id", "pod-1")
		points, other := b.sum("http.requests", cumulative, true), b.sum("requests", cumulative, true)
		for i := range 20 {
			put(points, 10, start, r.clock.Now(), "user.id", fmt.Sprint(i), "http.route", "/")
			put(other, 10, start, r.clock.Now(), "user.id", fmt.Sprint(i))
		}
		r.send(b.md)
		require.Len(t, observe(r.sink.drain()...), 20, "other metrics keep their path")
	}
	got := r.flushed()
	require.Len(t, got, 1)
	assert.EqualValues(t, 200, got[0].value)
	assert.Equal(t, map[string]any{"http.route": "/"}, got[0].attributes)
	assert.Equal(t, map[string]any{"service.name": "orders", "service.instance.id": "pod-1"}, got[0].resource)
	assert.Equal(t, "app", got[0].scope)
}

// If an attribute of a resource is removed, the remaining series belongs to the gateway.
func TestRuleDropsResourceAttributes(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Labels = []LabelsConfig{ruleOf(".*", "resource.k8s.pod.uid")} })
	r.clock.Add(time.Second)
	start := r.clock.Now()
	r.clock.Add(time.Minute)
	for pod := range 3 {
		b := newBatch("orders", "service.instance.id", fmt.Sprint(pod), "k8s.pod.uid", fmt.Sprint(pod))
		put(b.sum("requests", cumulative, true), 10, start, r.clock.Now(), "http.route", "/")
		put(b.sum("in_flight", cumulative, false), 2, start, r.clock.Now())
		put(b.gauge("temperature"), int64(pod), start, r.clock.Now().Add(time.Duration(pod)))
		r.send(b.md)
	}
	values := map[string]int64{}
	for _, o := range r.flushed() {
		assert.Equal(t, map[string]any{"service.name": "orders", "service.instance.id": "gateway/cardinalitylimit"}, o.resource)
		values[o.name] += o.value
	}
	assert.Equal(t, map[string]int64{"requests": 30, "in_flight": 6, "temperature": 2}, values)
}

// The limits apply to the remaining series, also in keys with the removed label.
func TestLimitsSeeWhatARuleLeaves(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Labels = []LabelsConfig{ruleOf(".*", "user")}
		c.Limits = []LimitConfig{limitOf(2, "overflow", "metric.name")}
	})
	r.clock.Add(time.Second)
	start := r.clock.Now()
	r.clock.Add(time.Minute)
	b := newBatch("orders")
	points := b.sum("requests", cumulative, true)
	for i := range 30 {
		put(points, int64(10-i%3), start, r.clock.Now(), "user", fmt.Sprint(i), "route", fmt.Sprint(i%3))
	}
	r.send(b.md)
	require.EqualValues(t, 2, r.counter("series", "limit", "l"))
	require.EqualValues(t, 20, r.counter("series", "limit", "labels::0"))
	values := map[string]int64{}
	for _, o := range r.flushed() {
		values[fmt.Sprint(o.attributes)] = o.value
	}
	assert.Equal(t, map[string]int64{
		"map[route:0]": 100, "map[route:1]": 90, "map[otel.metric.overflow:true]": 80,
	}, values)
	assert.EqualValues(t, 10, r.counter("points", "limit", "l", "action", "overflow"))
	assert.EqualValues(t, 20, r.counter("points", "action", "pass"))
}

// If a rule has max_streams streams, the growth of new ones is added to the overflow series with the remaining resource.
func TestFullRuleOverflows(t *testing.T) {
	r := newRig(t, func(c *Config) {
		rule := ruleOf(".*", "user")
		rule.MaxStreams = 5
		c.Labels = []LabelsConfig{rule}
	})
	r.clock.Add(time.Second)
	start := r.clock.Now()
	for round := range int64(2) {
		r.clock.Add(time.Minute)
		b := newBatch("orders")
		points := b.sum("requests", cumulative, true)
		for i := range int64(8) {
			put(points, 100-i+10*round, start, r.clock.Now(), "user", fmt.Sprint(i), "route", "/")
		}
		r.send(b.md)
	}
	require.EqualValues(t, 3, r.counter("unbaselined_points"))
	values := map[string]int64{}
	for _, o := range r.flushed() {
		values[fmt.Sprint(o.attributes)] = o.value
	}
	assert.Equal(t, map[string]int64{"map[route:/]": 5*110 - 10, "map[otel.metric.overflow:true]": 30}, values)
	assert.EqualValues(t, 6, r.counter("points", "limit", "labels::0", "action", "overflow"))
}

func TestGaugesUnderARule(t *testing.T) {
	for gauge, want := range map[string]int64{"last": 3, "min": 2, "max": 9, "sum": 12} {
		r := newRig(t, func(c *Config) {
			rule := ruleOf(".*", "id")
			rule.Gauge = gauge
			c.Labels = []LabelsConfig{rule}
		})
		b := newBatch("orders")
		points := b.gauge("temperature")
		now := r.clock.Now()
		put(points, 2, now, now.Add(1*time.Second), "id", "a")
		put(points, 9, now, now.Add(2*time.Second), "id", "b")
		put(points, 3, now, now.Add(3*time.Second), "id", "a")
		r.send(b.md)
		got := r.flushed()
		require.Len(t, got, 1, gauge)
		assert.Equal(t, want, got[0].value, gauge)
		assert.Empty(t, got[0].attributes)
	}
	r := newRig(t, func(c *Config) {
		rule := ruleOf(".*", "id")
		rule.Gauge = "drop"
		c.Labels, c.Reaggregate.Gauge = []LabelsConfig{rule}, "last"
	})
	b := newBatch("orders")
	put(b.gauge("temperature"), 2, r.clock.Now(), r.clock.Now(), "id", "a")
	r.send(b.md)
	assert.Empty(t, r.flushed())
	assert.EqualValues(t, 1, r.counter("dropped_points", "reason", "gauge"))
}

// Exemplars do not contain a dropped label.
func TestDroppedLabelsLeaveExemplars(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Labels = []LabelsConfig{ruleOf(".*", `user\..*`)} })
	b := newBatch("orders")
	p := put(b.sum("requests", delta, true), 1, r.clock.Now(), r.clock.Now(), "user.id", "7", "route", "/")
	e := p.Exemplars().AppendEmpty()
	e.FilteredAttributes().PutStr("user.name", "x")
	e.FilteredAttributes().PutStr("host", "y")
	r.send(b.md)
	require.NoError(t, r.flush(context.Background(), false))
	out := r.sink.drain()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
	require.Equal(t, 1, out.Exemplars().Len())
	assert.Equal(t, map[string]any{"host": "y"}, out.Exemplars().At(0).FilteredAttributes().AsRaw())
}

// A dry run counts what a rule would do and changes nothing.
func TestLabelRulesUnderDryRun(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Labels = []LabelsConfig{ruleOf(".*", "id")}
		c.Mode = modeDryRun
		c.Limits = []LimitConfig{limitOf(1, "drop", "metric.name")}
	})
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	for i := range 10 {
		put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
	}
	r.send(b.md)
	assert.Len(t, observe(r.sink.drain()...), 10)
	assert.EqualValues(t, 10, r.counter("points", "action", "pass"), "one series is left")
	assert.EqualValues(t, 10, r.counter("series", "limit", "labels::0"))
}

// A rule applies to metrics that match all of its conditions. The first matching rule applies.
func TestFirstRuleApplies(t *testing.T) {
	r := newRig(t, func(c *Config) {
		first := ruleOf("requests", "a")
		first.Match["resource.service.name"] = "orders"
		c.Labels = []LabelsConfig{first, ruleOf("requests", "b")}
	})
	for _, service := range []string{"orders", "stock"} {
		b := newBatch(service)
		put(b.sum("requests", delta, true), 1, r.clock.Now(), r.clock.Now(), "a", "1", "b", "2")
		r.send(b.md)
	}
	got := map[any]map[string]any{}
	for _, o := range r.flushed() {
		got[o.resource["service.name"]] = o.attributes
	}
	assert.Equal(t, map[any]map[string]any{"orders": {"b": "2"}, "stock": {"a": "1"}}, got)
}

// BenchmarkLabelRule is a batch of 1,000 points of known streams with five attributes; a rule drops one of them. The garbage
// collector runs between the batches: what it costs is mostly the copy of the batch, which the benchmark makes.
func BenchmarkLabelRule(b *testing.B) {
	for _, temporality := range []pmetric.AggregationTemporality{delta, cumulative} {
		b.Run(temporality.String(), func(b *testing.B) {
			r := newRig(b, func(c *Config) { c.Labels = []LabelsConfig{ruleOf(".*", "id")} })
			md := thousand(r, 5)
			at := r.clock.Now()
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				if i%50 == 0 {
					runtime.GC()
				}
				at = at.Add(time.Second)
				c := pmetric.NewMetrics()
				md.CopyTo(c)
				for _, m := range c.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
					m.Sum().SetAggregationTemporality(temporality)
					for _, p := range m.Sum().DataPoints().All() {
						p.SetTimestamp(pcommon.NewTimestampFromTime(at))
					}
				}
				b.StartTimer()
				batch := r.process(context.Background(), c) // no label remains
				batch.Commit()
				batch.End()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
		})
	}
}
