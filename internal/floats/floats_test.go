package floats_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

func TestIsFinite(t *testing.T) {
	for _, v := range []float64{0, -1.5, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64} {
		assert.True(t, floats.IsFinite(v), v)
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		assert.False(t, floats.IsFinite(v), v)
	}
	assert.True(t, floats.IsFinite(uint64(math.MaxUint64)))
	assert.True(t, floats.IsFinite(time.Duration(math.MinInt64)))
	assert.False(t, floats.IsFinite(float32(math.Inf(-1))))
}

func TestClamp(t *testing.T) {
	for v, want := range map[float64]float64{
		math.Inf(1): math.MaxFloat64, math.Inf(-1): -math.MaxFloat64, math.MaxFloat64: math.MaxFloat64, -2: -2, 0: 0,
	} {
		assert.InDelta(t, want, floats.Clamp(v), 0)
	}
	assert.True(t, math.IsNaN(floats.Clamp(math.NaN())))
}
