package cardinalitylimit

import (
	"context"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/cumulativetodeltaprocessor"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
)

// The contrib processor drops points of a series that decreases. It drops none of our output, and its deltas add up to the
// ledger.
func TestCumulativeToDeltaSeesTheLedger(t *testing.T) {
	announced := []kind{
		{pmetric.MetricTypeSum, cumulative, true},
		{pmetric.MetricTypeHistogram, cumulative, true},
		{pmetric.MetricTypeExponentialHistogram, cumulative, true},
	}
	for seed := range uint64(20) {
		out := &sink{}
		f := cumulativetodeltaprocessor.NewFactory()
		cfg := f.CreateDefaultConfig()
		require.NoError(t, confmap.NewFromStringMap(map[string]any{"initial_value": "keep"}).Unmarshal(cfg))
		c2d, err := f.CreateMetrics(context.Background(), processortest.NewNopSettings(f.Type()), cfg, out)
		require.NoError(t, err)
		require.NoError(t, c2d.Start(context.Background(), componenttest.NewNopHost()))

		in := 0
		ledger, n := simulate(t, seed, announced, func(md pmetric.Metrics) {
			in += md.DataPointCount()
			require.NoError(t, c2d.ConsumeMetrics(context.Background(), md))
		}, nil)
		require.Positive(t, n.folded)
		down := newReader(t)
		points := 0
		for _, md := range out.drain() {
			points += md.DataPointCount()
			down.read(md)
		}
		require.Equal(t, in, points, "no point is dropped")
		require.Equalf(t, ledger, down.total, "seed %d", seed)
		require.NoError(t, c2d.Shutdown(context.Background()))
	}
}
