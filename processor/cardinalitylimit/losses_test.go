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

// Gauges that are not folded are dropped, counted and logged. A dry run foretells them.
func TestGaugesOverALimitCountAsDropped(t *testing.T) {
	for _, mode := range []string{modeEnforce, modeDryRun} {
		t.Run(mode, func(t *testing.T) {
			r, logs := watched(t, func(c *Config) {
				c.Mode = mode
				observer := limitOf(3, "overflow", "metric.name")
				observer.Name, observer.DryRun = "observer", true
				c.Limits = []LimitConfig{limitOf(5, "overflow", "metric.name"), observer}
			})
			b := newBatch("orders")
			gauges, sums := b.gauge("temperature"), b.sum("requests", delta, true)
			for id := range 12 {
				put(gauges, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(id))
				put(sums, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(id))
			}
			r.send(b.md)
			require.EqualValues(t, 7, r.counter("points", "limit", "l", "action", "drop", "mode", mode))
			require.EqualValues(t, 7, r.counter("points", "limit", "l", "action", "overflow", "mode", mode))
			require.EqualValues(t, 2, r.counter("points", "limit", "observer", "action", "drop", "mode", modeDryRun))
			said := 0
			for _, entry := range logs.TakeAll() {
				if n, ok := entry.ContextMap()["points"]; ok {
					require.Contains(t, entry.Message, "gauges")
					require.EqualValues(t, 7, n)
					said++
				}
			}
			want := 0
			if mode == modeEnforce {
				want = 1
			}
			require.Equal(t, want, said)
			require.EqualValues(t, 7, r.counter("dropped_points", "reason", "gauge", "mode", mode))
		})
	}
}

func encoded(t *testing.T, md pmetric.Metrics) string {
	b, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return string(b)
}

// A dry run foretells baselines and the other counts of folding, and changes nothing.
func TestDryRunForetellsWhatFoldingCounts(t *testing.T) {
	batches := func(r *rig, send func(pmetric.Metrics)) {
		began := r.clock.Now().Add(-time.Hour)
		for range 4 {
			b := newBatch("orders")
			sums, gauges := b.sum("requests", cumulative, true), b.gauge("temperature")
			for id := range 20 {
				put(sums, 100, began, r.clock.Now(), "id", fmt.Sprint(id)).Exemplars().AppendEmpty().FilteredAttributes().PutStr("user", "u")
				put(gauges, 1, began, r.clock.Now(), "id", fmt.Sprint(id))
			}
			put(sums, 7, began, r.clock.Now().Add(-time.Hour), "id", "19") // out of order
			put(sums, 7, began, r.clock.Now(), "id", "nan", "user", "u").SetDoubleValue(math.NaN())
			send(b.md)
			r.clock.Add(10 * time.Second)
			require.NoError(t, r.flush(context.Background(), false))
		}
	}
	edit := func(c *Config) {
		c.Limits = []LimitConfig{limitOf(5, "overflow", "metric.name")}
		c.Labels = []LabelsConfig{ruleOf("rule\\..*", "user")}
	}
	enforced := newRig(t, edit)
	batches(enforced, enforced.send)
	observed := newRig(t, func(c *Config) { edit(c); c.Mode = modeDryRun })
	batches(observed, func(md pmetric.Metrics) {
		before := encoded(t, md)
		observed.send(md)
		require.Equal(t, before, encoded(t, md))
		passed := observed.sink.drain()
		require.Len(t, passed, 1)
		require.Equal(t, before, encoded(t, passed[0]))
	})
	require.Empty(t, observed.sink.drain(), "nothing is flushed")
	for _, name := range []string{"unbaselined_points", "folded_points", "dropped_points"} {
		got := enforced.counter(name, "mode", modeEnforce)
		require.Positive(t, got, name)
		require.Equal(t, got, observed.counter(name, "mode", modeDryRun), name)
		require.Zero(t, observed.counter(name, "mode", modeEnforce), name)
	}
}

// A rule for labels that drops gauges counts them under its own name.
func TestGaugesThatARuleDrops(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Labels = []LabelsConfig{{Match: map[string]any{"metrics": []any{"temperature"}}, Drop: []string{"id"}, Gauge: "drop", MaxStreams: 10}}
	})
	b := newBatch("orders")
	put(b.gauge("temperature"), 1, r.clock.Now(), r.clock.Now(), "id", "a")
	r.send(b.md)
	require.EqualValues(t, 1, r.counter("points", "limit", "labels::0", "action", "drop"))
	require.EqualValues(t, 1, r.counter("dropped_points", "reason", "gauge"))
}

// If a limit needs metadata that no request has had, one warning is logged, a minute after the start.
func TestMissingMetadata(t *testing.T) {
	r, logs := watched(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(5, "overflow", "metadata.x-tenant", "metadata.x-region")}
	})
	r.clock.Add(time.Hour)
	r.measure()
	require.Empty(t, logs.TakeAll(), "no request, no warning")
	b := newBatch("orders")
	put(b.sum("requests", delta, true), 1, r.clock.Now(), r.clock.Now())
	ctx := client.NewContext(context.Background(), client.Info{Metadata: client.NewMetadata(map[string][]string{"X-Region": {"eu"}})})
	require.NoError(t, r.ConsumeMetrics(ctx, b.md))
	r.measure()
	r.measure()
	entries := logs.TakeAll()
	require.Len(t, entries, 1)
	require.Contains(t, entries[0].Message, "include_metadata")
	require.Equal(t, []any{"x-tenant"}, entries[0].ContextMap()["metadata"])
}
