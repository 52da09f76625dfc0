package finite_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/internal/finite"
)

func TestIs(t *testing.T) {
	for _, v := range []float64{0, -1.5, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64} {
		assert.True(t, finite.Is(v), v)
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		assert.False(t, finite.Is(v), v)
	}
	assert.True(t, finite.Is(uint64(math.MaxUint64)))
	assert.True(t, finite.Is(time.Duration(math.MinInt64)))
	assert.False(t, finite.Is(float32(math.Inf(-1))))
}

func TestClamp(t *testing.T) {
	for v, want := range map[float64]float64{
		math.Inf(1): math.MaxFloat64, math.Inf(-1): -math.MaxFloat64, math.MaxFloat64: math.MaxFloat64, -2: -2, 0: 0,
	} {
		assert.InDelta(t, want, finite.Clamp(v), 0)
	}
	assert.True(t, math.IsNaN(finite.Clamp(math.NaN())))
}
