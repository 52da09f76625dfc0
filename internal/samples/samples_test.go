package samples_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/samples"
)

// The medians agree with the distributions' parameters within sampling noise.
func TestDistributions(t *testing.T) {
	want := map[string]float64{
		"uniform": 500, "exponential": 69.3, "lognormal": 50,
		"bimodal": 8.82, // the quantile 0.625 of the lower mode: 8 exp(0.3 * 0.3186), the upper being far above
		"pareto":  31.7, // 20 * 2^(1/1.5)
		"narrow":  42,
	}
	for _, d := range samples.Distributions {
		values := d.Draw(100_000, 3)
		require.Equal(t, values, d.Draw(100_000, 3), "the same for the same seed")
		slices.Sort(values)
		require.InEpsilon(t, want[d.Name], values[len(values)/2], 0.02, d.Name)
		require.GreaterOrEqual(t, values[0], 0.0, d.Name)
	}
}

func TestCountIsUpperInclusive(t *testing.T) {
	require.Equal(t, []uint64{2, 1, 1}, samples.Count([]float64{1, 2}, []float64{0, 1, 2, 3}))
}

func TestErrors(t *testing.T) {
	require.InDelta(t, 0.2, samples.MaxCDFError([]uint64{1, 2, 7}, []uint64{2, 3, 5}), 1e-12)
	bounds, counts := []float64{0, 10, 20}, []uint64{0, 50, 40, 10}
	for q, want := range map[float64]float64{0.1: 2, 0.5: 10, 0.7: 15, 0.95: 20} {
		require.InDelta(t, want, samples.Quantile(q, bounds, counts), 1e-12)
	}
	require.InDelta(t, 0.5, samples.QuantileError(0.5, bounds, counts, []uint64{0, 100, 0, 0}), 1e-12)
	require.Zero(t, samples.QuantileError(0.5, bounds, []uint64{9, 1, 0, 0}, counts), "no share of zero")
}
