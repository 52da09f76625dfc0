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

func TestDownscaleTable(t *testing.T) {
	for _, tt := range []struct {
		name   string
		offset int32
		counts []uint64
		by     int32
		want   expo.Buckets
	}{
		{"across an empty bucket", 0, []uint64{0, 0, 5, 3}, 1, expo.Buckets{Offset: 0, Counts: []uint64{0, 8}}},
		{"odd offset", 3, []uint64{1, 2, 4}, 1, expo.Buckets{Offset: 1, Counts: []uint64{1, 6}}},
		{"negative odd offset", -3, []uint64{1, 2, 4}, 1, expo.Buckets{Offset: -2, Counts: []uint64{1, 6}}},
		{"by two", -5, []uint64{1, 2, 4, 8, 16, 32}, 2, expo.Buckets{Offset: -2, Counts: []uint64{1, 30, 32}}},
		{"by nothing", 7, []uint64{1}, 0, expo.Buckets{Offset: 7, Counts: []uint64{1}}},
		{"by less than nothing", 7, []uint64{1}, -3, expo.Buckets{Offset: 7, Counts: []uint64{1}}},
		{"past an int32", math.MaxInt32, []uint64{1, 2, 4}, 1, expo.Buckets{Offset: math.MaxInt32 >> 1, Counts: []uint64{1, 6}}},
		{"everything", math.MinInt32, []uint64{1, 2, 4}, 100, expo.Buckets{Offset: -1, Counts: []uint64{7}}},
		{"saturates", 0, []uint64{math.MaxUint64, 2}, 1, expo.Buckets{Offset: 0, Counts: []uint64{math.MaxUint64}}},
		{"no buckets", -7, []uint64{}, 1, expo.Buckets{Offset: -4, Counts: []uint64{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := expo.Buckets{Offset: tt.offset, Counts: append([]uint64{}, tt.counts...)}
			b.Downscale(tt.by)
			require.Equal(t, tt.want, b)
		})
	}
}

// TestDownscaleAgainstBig computes floor(i / 2^by) in big integers for each bucket, and checks that two downscalings give
// the same as one by the sum of their steps.
func TestDownscaleAgainstBig(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for range 20000 {
		offset := int32(rng.Uint32())
		if rng.IntN(2) == 0 {
			offset = int32(rng.IntN(41)) - 20
		}
		counts := make([]uint64, rng.IntN(40))
		for i := range counts {
			if rng.IntN(2) == 0 {
				counts[i] = rng.Uint64() >> rng.IntN(64)
			}
		}
		by := int32(rng.IntN(34))

		want := map[int64]*big.Int{}
		divisor := new(big.Int).Lsh(big.NewInt(1), uint(by))
		for i, n := range counts {
			at, rest := new(big.Int), new(big.Int)
			at.DivMod(big.NewInt(int64(offset)+int64(i)), divisor, rest) // Euclidean: floor for a positive divisor
			if want[at.Int64()] == nil {
				want[at.Int64()] = new(big.Int)
			}
			want[at.Int64()].Add(want[at.Int64()], new(big.Int).SetUint64(n))
		}

		once := expo.Buckets{Offset: offset, Counts: append([]uint64(nil), counts...)}
		once.Downscale(by)
		require.Len(t, once.Counts, len(want))
		for i, n := range once.Counts {
			w := want[int64(once.Offset)+int64(i)]
			require.NotNil(t, w)
			if !w.IsUint64() {
				w.SetUint64(math.MaxUint64)
			}
			require.Equal(t, w.Uint64(), n)
		}

		// The offset of a run is exact only if all of its indexes fit an int32.
		if int64(offset)+int64(len(counts)) > math.MaxInt32 {
			continue
		}
		first := int32(rng.IntN(int(by) + 1))
		twice := expo.Buckets{Offset: offset, Counts: append([]uint64(nil), counts...)}
		twice.Downscale(first)
		twice.Downscale(by - first)
		require.Equal(t, once, twice)
	}
}

func TestTrim(t *testing.T) {
	for _, tt := range []struct{ b, want expo.Buckets }{
		{expo.Buckets{Offset: -2, Counts: []uint64{0, 0, 1, 0, 2, 0}}, expo.Buckets{Offset: 0, Counts: []uint64{1, 0, 2}}},
		{expo.Buckets{Offset: 9, Counts: []uint64{0, 0}}, expo.Buckets{Offset: 0, Counts: []uint64{}}},
		{expo.Buckets{Offset: 9, Counts: []uint64{}}, expo.Buckets{Offset: 0, Counts: []uint64{}}},
		{expo.Buckets{Offset: math.MaxInt32, Counts: []uint64{0, 1}}, expo.Buckets{Offset: math.MaxInt32, Counts: []uint64{1}}},
	} {
		before := expo.Buckets{Offset: tt.b.Offset, Counts: slices.Clone(tt.b.Counts)}
		require.Equal(t, tt.want, tt.b.Trimmed())
		require.Equal(t, before, tt.b)
		tt.b.Trim()
		require.Equal(t, tt.want, tt.b)
	}
}
