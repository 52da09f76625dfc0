package cardinalitylimit

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing"
)

// A bucketing processor before this one begins streams anew whenever a split changes, with the time of the point as the start.
// The values of a stream until then do not count again.
func TestBehindBucketing(t *testing.T) {
	for name, rule := range map[string]map[string]any{
		"stateless explicit":    {"target": map[string]any{"explicit": map[string]any{"bounds": []any{3, 10, 250, 1200}}}},
		"stateless exponential": {"target": map[string]any{"exponential": map[string]any{"max_size": 20}}},
		"stateful": {
			"target":     map[string]any{"explicit": map[string]any{"bounds": []any{3, 10, 250, 1200}}},
			"cumulative": map[string]any{"mode": "stateful"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				rng := rand.New(rand.NewPCG(seed, 11))
				r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
				f := bucketing.NewFactory()
				cfg := f.CreateDefaultConfig()
				require.NoError(t, confmap.NewFromStringMap(map[string]any{"rules": []any{rule}}).Unmarshal(cfg))
				p, err := f.CreateMetrics(context.Background(), processortest.NewNopSettings(f.Type()), cfg, r)
				require.NoError(t, err)
				require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))

				k := kind{pmetric.MetricTypeExponentialHistogram, cumulative, false}
				incumbent := &source{kind: k}
				sources := []*source{incumbent, {kind: k, id: 1}, {kind: k, id: 2}}
				for _, s := range sources {
					s.begin(r.clock.Now())
				}
				r.clock.Add(time.Second)
				first := newBatch("orders")
				incumbent.observe(rng)
				reading := incumbent.read(r.clock.Now())
				reading.appendTo(first)
				require.NoError(t, p.ConsumeMetrics(context.Background(), first.md))
				var grown totals
				for range 30 {
					r.clock.Add(time.Second)
					b := newBatch("orders")
					for _, s := range sources {
						if g := s.observe(rng); s != incumbent {
							grown.plus(g)
						}
						reading := s.read(r.clock.Now())
						reading.appendTo(b)
					}
					require.NoError(t, p.ConsumeMetrics(context.Background(), b.md))
				}
				r.sink.drain()
				require.NoError(t, r.flush(context.Background(), false))
				count, sum := overflowTotals(r.sink.drain())
				require.InDelta(t, grown[0], count, 0, "seed %d", seed)
				require.InDelta(t, grown[1], sum, 0, "seed %d", seed)
				require.NoError(t, p.Shutdown(context.Background()))
			}
		})
	}
}

// overflowTotals adds up the histograms with the mark.
func overflowTotals(batches []pmetric.Metrics) (count, sum float64) {
	for _, md := range batches {
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if m.Type() == pmetric.MetricTypeHistogram {
				for _, p := range m.Histogram().DataPoints().All() {
					count, sum = count+float64(p.Count()), sum+p.Sum()
				}
				continue
			}
			for _, p := range m.ExponentialHistogram().DataPoints().All() {
				count, sum = count+float64(p.Count()), sum+p.Sum()
			}
		}
	}
	return count, sum
}
