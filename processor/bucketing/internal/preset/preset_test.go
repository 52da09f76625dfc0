package preset_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/preset"
)

func TestPresetsAreExact(t *testing.T) {
	for _, tt := range []struct {
		name, unit string
		want       []float64
	}{
		{"latency_ms", "ms", []float64{0, 10, 50, 100, 500}},
		{"latency_ms", "s", []float64{0, 0.01, 0.05, 0.1, 0.5}},
		{"latency_ms", "us", []float64{0, 10e3, 50e3, 100e3, 500e3}},
		{"latency_ms", "ns", []float64{0, 10e6, 50e6, 100e6, 500e6}},
		{"latency_ms", "", []float64{0, 10, 50, 100, 500}},
		{"latency_ms", "By", []float64{0, 10, 50, 100, 500}},
		{"otel", "ms", []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}},
		{"otel", "", []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}},
		{"otel", "s", []float64{0, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}},
		{"prometheus", "s", []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}},
		{"prometheus", "", []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}},
		{"prometheus", "ms", []float64{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}},
	} {
		p, ok := preset.Lookup(tt.name)
		require.True(t, ok)
		require.Equal(t, tt.want, p.In(tt.unit), "%s in %q", tt.name, tt.unit)
	}
}

func TestPow2(t *testing.T) {
	p, ok := preset.Lookup("pow2")
	require.True(t, ok)
	bounds := p.In("s")
	require.Len(t, bounds, 30)
	for i, b := range bounds {
		require.InDelta(t, math.Ldexp(1, i-10), b, 0)
	}
	require.Equal(t, bounds, p.In("ms"))
}

func TestUnknownPreset(t *testing.T) {
	_, ok := preset.Lookup("latency")
	require.False(t, ok)
	require.Equal(t, []string{"latency_ms", "otel", "pow2", "prometheus"}, preset.Names())
}
