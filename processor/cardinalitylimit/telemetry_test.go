package cardinalitylimit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadatatest"
)

// One ID in two pipelines is two processors. Each has metrics of its own under a name of its own, and no metric is without a
// name.
func TestProcessorsAreToldApart(t *testing.T) {
	ctx := context.Background()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(ctx)) })
	f := NewFactory()
	var all []processor.Metrics
	for i := range 2 {
		out := &sink{}
		p, err := f.CreateMetrics(ctx, metadatatest.NewSettings(tel), config(nil), out)
		require.NoError(t, err)
		require.NoError(t, p.Start(ctx, componenttest.NewNopHost()))
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		for id := range 10 * (i + 1) {
			put(points, 1, harness.NewClock().Now(), harness.NewClock().Now(), "id", fmt.Sprint(id))
		}
		// The batch has a point for each metric that counts points.
		gauges, folded := b.gauge("temperature"), b.sum("folded", cumulative, true)
		for id := range 510 {
			put(gauges, 1, harness.NewClock().Now(), harness.NewClock().Now(), "id", fmt.Sprint(id))
			put(folded, 1, harness.NewClock().Now(), harness.NewClock().Now(), "id", fmt.Sprint(id))
		}
		require.NoError(t, p.ConsumeMetrics(ctx, b.md))
		p.(*limiter).measure()
		all = append(all, p)
	}
	r := &rig{t: t, tel: tel}
	for name, want := range map[string]int64{"cardinalitylimit": 10, "cardinalitylimit/2": 20} {
		require.Equal(t, want+500+500, r.counter("series", "limit", "metric", "processor", name))
		require.EqualValues(t, 500, r.counter("max_series", "limit", "metric", "processor", name))
		require.Equal(t, want+500+500, r.counter("points", "limit", "none", "processor", name))
		require.EqualValues(t, 10, r.counter("dropped_points", "reason", "gauge", "processor", name))
		require.EqualValues(t, 10, r.counter("folded_points", "processor", name))
	}
	for _, m := range harness.Metrics(t, tel.Reader) {
		for _, p := range harness.PointsOf[int64](m) {
			require.Truef(t, p.Attributes.HasValue("processor"), "%s has no processor", m.Name)
		}
	}
	for _, p := range all {
		require.NoError(t, p.Shutdown(ctx))
	}
}

// A name is free again after the shutdown of its processor, whether or not it was started.
func TestNamesAreGivenBack(t *testing.T) {
	f := factoryAt(harness.NewClock())
	for range 3 {
		tel := componenttest.NewTelemetry()
		p, err := f.createMetrics(context.Background(), metadatatest.NewSettings(tel), config(nil), &sink{})
		require.NoError(t, err)
		require.Equal(t, "cardinalitylimit", p.(*limiter).name)
		require.NoError(t, p.Shutdown(context.Background()))
		require.NoError(t, p.Shutdown(context.Background()))
		require.NoError(t, tel.Shutdown(context.Background()))
	}
}

// A collection reads the last measurement and touches no tracker. A start also measures.
func TestCollectionOnlyReads(t *testing.T) {
	r := newRig(t, nil)
	collect := &rig{t: t, tel: r.tel}
	require.EqualValues(t, 500, collect.counter("max_series", "limit", "metric"))
	b := newBatch("orders")
	put(b.sum("requests", delta, true), 1, r.clock.Now(), r.clock.Now())
	r.send(b.md)
	require.Zero(t, collect.counter("series", "limit", "metric"))
	r.maintain()
	require.EqualValues(t, 1, collect.counter("series", "limit", "metric"))
	r.clock.Add(3 * time.Hour) // it has lost its place
	require.EqualValues(t, 1, collect.counter("series", "limit", "metric"))
}

func TestNotStarted(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	p, err := NewFactory().CreateMetrics(context.Background(), metadatatest.NewSettings(tel), config(nil), &sink{})
	require.NoError(t, err)
	require.ErrorIs(t, p.ConsumeMetrics(context.Background(), newBatch("orders").md), errNotStarted)
	require.NoError(t, p.Shutdown(context.Background()))
}
