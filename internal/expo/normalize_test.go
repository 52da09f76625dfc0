package expo_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// total returns the number of observations without a limit.
func total(h *expo.Histogram) *big.Int {
	sum := new(big.Int).SetUint64(h.ZeroCount)
	for _, counts := range [][]uint64{h.Positive.Counts, h.Negative.Counts} {
		for _, n := range counts {
			sum.Add(sum, new(big.Int).SetUint64(n))
		}
	}
	return sum
}

// Any histogram has bounded indexes, scales and sizes afterwards, and no observation is lost.
func TestNormalize(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	for range 5000 {
		h, size := randomForeign(rng), 2+rng.IntN(250)
		if rng.IntN(4) == 0 {
			h.Scale = []int32{math.MinInt32, math.MinInt32 + 1, -11, -12, 21, math.MaxInt32}[rng.IntN(6)]
		}
		want := total(h)
		h.Normalize(size)
		require.Equal(t, want, total(h))
		require.LessOrEqual(t, h.Scale, expo.MaxScale)
		require.GreaterOrEqual(t, h.Scale, int32(-20), "from -11, at most as many steps as 160 buckets need")
		for _, b := range []expo.Buckets{h.Positive, h.Negative} {
			require.LessOrEqual(t, len(b.Counts), size)
			if len(b.Counts) == 0 {
				require.Zero(t, b.Offset)
				continue
			}
			require.GreaterOrEqual(t, b.Offset, expo.Index(h.Scale, math.SmallestNonzeroFloat64))
			require.LessOrEqual(t, int(b.Offset)+len(b.Counts)-1, int(expo.Index(h.Scale, math.MaxFloat64)))
		}
		again := clone(h)
		require.False(t, again.Normalize(size), "a second call changes nothing")
		require.Equal(t, h, again)
	}
}

// A histogram that a sender can have recorded is unchanged, at every scale.
func TestNormalizeLeavesRecordedValues(t *testing.T) {
	for scale := expo.MaxScale; scale >= -11; scale-- {
		for _, v := range []float64{math.SmallestNonzeroFloat64, 1e-300, 0.5, 1, 3, 1e300, math.MaxFloat64} {
			h := expo.New(160)
			h.ToScale(scale)
			h.Record(v, 3)
			h.Record(-v, 4)
			h.Sum = 0
			before := clone(h)
			require.False(t, h.Normalize(160), "%v at scale %d", v, scale)
			require.Equal(t, before, h)
		}
	}
}

// Observations beyond the range of float64 go to the outermost buckets.
func TestNormalizeBeyondFloat64(t *testing.T) {
	h := &expo.Histogram{
		Scale:    0,
		Positive: expo.Buckets{Offset: 1022, Counts: []uint64{1, 2, 4, 8}}, // 1023 has the largest float64
		Negative: expo.Buckets{Offset: math.MinInt32, Counts: []uint64{0, 3, 5}},
	}
	require.True(t, h.Normalize(160))
	require.Equal(t, expo.Buckets{Offset: 1022, Counts: []uint64{1, 14}}, h.Positive)
	require.Equal(t, expo.Buckets{Offset: -1075, Counts: []uint64{8}}, h.Negative) // (2^-1075, 2^-1074]

	h = &expo.Histogram{Scale: math.MinInt32, Positive: expo.Buckets{Offset: -3, Counts: slices.Repeat([]uint64{1}, 6)}}
	require.True(t, h.Normalize(160))
	require.Equal(t, int32(-11), h.Scale)
	require.Equal(t, expo.Buckets{Offset: -1, Counts: []uint64{3, 3}}, h.Positive)
}
