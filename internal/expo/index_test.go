package expo_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// index computes the definition in wide arithmetic. base^i < v <= base^(i+1) with base = 2^(2^-scale) means
// 2^i < v^(2^scale) <= 2^(i+1). The error of squaring scale times with 256 bits is far below the distance of any bound
// from a float64.
func index(scale int32, v float64) int32 {
	p := new(big.Float).SetPrec(256).SetFloat64(v)
	for range scale {
		p.Mul(p, p)
	}
	i := p.MantExp(nil) - 1 // 2^i <= p < 2^(i+1)
	if p.IsInt() || p.Sign() > 0 {
		if new(big.Float).SetMantExp(big.NewFloat(1), i).Cmp(p) == 0 {
			i--
		}
	}
	if scale < 0 {
		i >>= -scale
	}
	return int32(i)
}

// requireSame compares floats by their bits.
func requireSame(t *testing.T, want, got float64) {
	t.Helper()
	require.Equal(t, math.Float64bits(want), math.Float64bits(got), "want %b, got %b", want, got)
}

func scales() []int32 {
	var all []int32
	for s := expo.MinScale; s <= expo.MaxScale; s++ {
		all = append(all, s)
	}
	return all
}

func randomPositive(rng *rand.Rand) float64 {
	for {
		if v := math.Float64frombits(rng.Uint64() >> 1); v > 0 && !math.IsInf(v, 0) && !math.IsNaN(v) {
			return v
		}
	}
}

func TestIndexPowersOfTwo(t *testing.T) {
	for _, scale := range scales() {
		for e := -1074; e <= 1023; e++ {
			v := math.Ldexp(1, e)
			want := int64(e)
			if scale > 0 {
				want <<= scale
			}
			want--
			if scale < 0 {
				want >>= -scale
			}
			if got := expo.Index(scale, v); int64(got) != want {
				t.Fatalf("Index(%d, 2^%d) = %d, want %d", scale, e, got, want)
			}
		}
	}
}

func TestIndexAtBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, scale := range scales() {
		lowest, highest := expo.Index(scale, math.SmallestNonzeroFloat64), expo.Index(scale, math.MaxFloat64)
		for range 2000 {
			i := lowest + int32(rng.Int64N(int64(highest)-int64(lowest)+1))
			bound := expo.UpperBound(scale, i)
			for _, v := range []float64{bound, math.Nextafter(bound, 0), math.Nextafter(bound, math.Inf(1))} {
				if v <= 0 || math.IsInf(v, 0) {
					continue
				}
				if got, want := expo.Index(scale, v), index(scale, v); got != want {
					t.Fatalf("Index(%d, %b) = %d, want %d (bound of %d)", scale, v, got, want, i)
				}
			}
		}
	}
}

func TestIndexRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	special := []float64{math.SmallestNonzeroFloat64, math.MaxFloat64, math.Ldexp(1, -1022), math.Nextafter(math.Ldexp(1, -1022), 0), 1, math.Nextafter(1, 2), math.Nextafter(1, 0), math.Pi}
	for _, scale := range scales() {
		for n := range 3000 {
			v := randomPositive(rng)
			if n < len(special) {
				v = special[n]
			}
			if got, want := expo.Index(scale, v), index(scale, v); got != want {
				t.Fatalf("Index(%d, %b) = %d, want %d", scale, v, got, want)
			}
		}
	}
}

// The table is made of the bounds at scale 8. The test covers each of them and each slot of the table.
func TestIndexEveryCoarseBound(t *testing.T) {
	for sub := range int32(256) {
		bound := expo.UpperBound(8, sub)
		require.Equal(t, sub, expo.Index(8, bound))
		require.Equal(t, sub+1, expo.Index(8, math.Nextafter(bound, math.Inf(1))))
		slot := 1 + float64(sub)/256
		require.Equal(t, index(8, slot), expo.Index(8, slot))
	}
}

func TestUpperBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, scale := range scales() {
		lowest, highest := expo.Index(scale, math.SmallestNonzeroFloat64), expo.Index(scale, math.MaxFloat64)
		for range 2000 {
			i := lowest + int32(rng.Int64N(int64(highest)-int64(lowest)))
			bound := expo.UpperBound(scale, i)
			// UpperBound is the largest float64 at or below the real bound.
			if bound > 0 {
				require.LessOrEqual(t, index(scale, bound), i, "scale %d index %d", scale, i)
			}
			if next := math.Nextafter(bound, math.Inf(1)); !math.IsInf(next, 0) {
				require.Greater(t, index(scale, next), i, "scale %d index %d", scale, i)
			}
			requireSame(t, bound, expo.LowerBound(scale, i+1))
		}
	}
}

func TestUpperBoundTable(t *testing.T) {
	for _, tt := range []struct {
		scale, index int32
		want         float64
	}{
		{0, -1, 1},
		{0, 0, 2},
		{0, 9, 1024},
		{1, 0, math.Nextafter(math.Sqrt2, 1)}, // math.Sqrt2 is rounded up
		{1, 1, 2},
		{20, 1<<20 - 1, 2},
		{20, -1, 1},
		{-1, 0, 4},
		{-10, -1, 1},
		{-10, 0, math.Inf(1)},
		{0, 1023, math.Inf(1)},
		{0, -1075, math.SmallestNonzeroFloat64},
		{0, -1076, 0},
		{20, math.MaxInt32, math.Inf(1)},
		{20, math.MinInt32, 0},
		{math.MinInt32, 0, math.Inf(1)},
		{math.MinInt32, -1, 1},
		{math.MaxInt32, -1, 1},
		{0, math.MaxInt32, math.Inf(1)},
	} {
		requireSame(t, tt.want, expo.UpperBound(tt.scale, tt.index))
	}
}

// Arguments outside the contract do not cause a panic.
func TestIndexNeverPanics(*testing.T) {
	for _, scale := range []int32{math.MinInt32, -64, -33, 0, 20, 21, 64, math.MaxInt32} {
		for _, v := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64} {
			expo.Index(scale, v)
			expo.UpperBound(scale, math.MaxInt32)
			expo.UpperBound(scale, math.MinInt32)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	values := make([]float64, 1024)
	for i := range values {
		values[i] = math.Exp(rng.NormFloat64() * 3)
	}
	for _, scale := range []int32{-2, 0, 3, 8, 12, 20} {
		b.Run(fmt.Sprintf("scale=%d", scale), func(b *testing.B) {
			var sum int32
			for i := 0; b.Loop(); i++ {
				sum += expo.Index(scale, values[i&1023])
			}
			_ = sum
		})
	}
}
