package rebucket_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/internal/samples"
)

// worstError computes the definition of Choose's error: at each removed bound, the larger difference from the cumulative
// counts at the kept bounds around it.
func worstError(bounds []float64, counts []uint64, kept []float64) uint64 {
	f := cumulative(counts)
	at := func(b float64) uint64 {
		i, _ := slices.BinarySearch(bounds, b)
		return f[i]
	}
	var worst uint64
	for i, b := range bounds {
		j, found := slices.BinarySearch(kept, b)
		if found {
			continue
		}
		lo, hi := uint64(0), f[len(f)-1]
		if j > 0 {
			lo = at(kept[j-1])
		}
		if j < len(kept) {
			hi = at(kept[j])
		}
		worst = max(worst, f[i]-lo, hi-f[i])
	}
	return worst
}

// randomPins returns up to n of the bounds and one value that is no bound.
func randomPins(rng *rand.Rand, bounds []float64, n int) []float64 {
	pins := []float64{12345.678}
	for _, i := range rng.Perm(len(bounds))[:min(rng.IntN(n+1), len(bounds))] {
		pins = append(pins, bounds[i])
	}
	return pins
}

// TestChooseIsOptimal tries every choice of up to 12 bounds.
func TestChooseIsOptimal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var c rebucket.Chooser
	for range 1000 {
		bounds := randomBounds(rng)
		bounds = bounds[:min(len(bounds), 12)]
		counts := randomCounts(rng, len(bounds)+1)
		if rng.IntN(2) == 0 {
			for i := range counts {
				counts[i] = rng.Uint64N(4)
			}
		}
		size := 2 + rng.IntN(len(bounds))
		pins := randomPins(rng, bounds, size-1)
		got := c.Choose(nil, bounds, counts, size, pins)
		best := uint64(math.MaxUint64)
		for set := range uint(1) << len(bounds) {
			if bits.OnesCount(set) >= size {
				continue
			}
			var kept []float64
			for i, b := range bounds {
				if set>>i&1 == 1 {
					kept = append(kept, b)
				} else if slices.Contains(pins, b) {
					kept = nil
					break
				}
			}
			if containsAll(kept, pins, bounds) {
				best = min(best, worstError(bounds, counts, kept))
			}
		}
		require.Equal(t, best, worstError(bounds, counts, got), "%v %v size %d pins %v: %v", bounds, counts, size, pins, got)
	}
}

// containsAll reports whether kept has every pin that is a bound.
func containsAll(kept, pins, bounds []float64) bool {
	return !slices.ContainsFunc(pins, func(p float64) bool { return slices.Contains(bounds, p) && !slices.Contains(kept, p) })
}

// For any number of bounds Choose keeps as many as allowed, pins among them, and its error is at most that of even
// spacing.
func TestChoose(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var c rebucket.Chooser
	better := 0
	for range 3000 {
		set := map[float64]bool{}
		for range 1 + rng.IntN(200) {
			set[rng.NormFloat64()*100] = true
		}
		bounds := make([]float64, 0, len(set))
		for b := range set {
			bounds = append(bounds, b)
		}
		slices.Sort(bounds)
		counts := randomCounts(rng, len(bounds)+1)
		size := 2 + rng.IntN(40)
		pins := randomPins(rng, bounds, size-1)
		got := c.Choose(nil, bounds, counts, size, pins)
		require.Len(t, got, min(len(bounds), size-1))
		require.True(t, slices.IsSorted(got))
		require.Subset(t, bounds, got)
		require.True(t, containsAll(got, pins, bounds))
		require.Equal(t, got, new(rebucket.Chooser).Choose(nil, bounds, counts, size, pins), "equal arguments give equal results")
		even := rebucket.Subset(bounds, size, pins)
		e, g := worstError(bounds, counts, even), worstError(bounds, counts, got)
		require.LessOrEqual(t, g, e)
		if g < e {
			better++
		}
		require.Equal(t, even, c.Choose(nil, bounds, make([]uint64, len(counts)), size, pins), "without counts")

		merged := make([]uint64, len(got)+1)
		rebucket.Merge(merged, got, bounds, counts)
		want := make([]uint64, len(got)+1)
		rebucket.Explicit(got, bounds, counts, want, rebucket.Log)
		require.Equal(t, want, merged)
	}
	require.Greater(t, better, 1000)
}

func TestChooseTable(t *testing.T) {
	bounds := []float64{1, 2, 3, 4, 5, 6, 7}
	for _, tt := range []struct {
		name   string
		counts []uint64
		size   int
		pins   []float64
		want   []float64
	}{
		{"room for all", []uint64{1, 1, 1, 1, 1, 1, 1, 1}, 8, nil, bounds},
		{"where the counts are", []uint64{0, 0, 9, 9, 9, 0, 0, 0}, 5, nil, []float64{2, 3, 4, 5}},
		{"a bucket between its own bounds", []uint64{0, 0, 0, 0, 100, 0, 0, 0}, 3, nil, []float64{4, 5}},
		{"room left divides the worst bucket", []uint64{10, 10, 10, 10, 0, 0, 0, 0}, 4, nil, []float64{1, 2, 4}},
		{"equal counts, evenly", []uint64{5, 5, 5, 5, 5, 5, 5, 5}, 4, nil, []float64{2, 4, 6}},
		{"a pin that counts would not choose", []uint64{0, 0, 0, 0, 100, 0, 0, 0}, 4, []float64{7}, []float64{4, 5, 7}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, new(rebucket.Chooser).Choose(nil, bounds, tt.counts, tt.size, tt.pins))
		})
	}
}

// Counts may be as large as the largest uint64.
func TestChooseNearOverflow(t *testing.T) {
	var c rebucket.Chooser
	bounds := []float64{1, 2, 3}
	require.Equal(t, []float64{2}, c.Choose(nil, bounds, []uint64{0, math.MaxUint64, 0, 0}, 2, []float64{2}))
	require.Equal(t, []float64{1, 2}, c.Choose(nil, bounds, []uint64{0, math.MaxUint64, 0, 0}, 3, nil))
}

func TestAllocsChoose(t *testing.T) {
	var c rebucket.Chooser
	counts := samples.Count(samples.OTel, samples.Distributions[2].Draw(1000, 1))
	to, merged := make([]float64, 0, 16), make([]uint64, 8)
	choose := func() {
		to = c.Choose(to, samples.OTel, counts, 8, []float64{100})
		rebucket.Merge(merged, to, samples.OTel, counts)
	}
	choose()
	require.Zero(t, testing.AllocsPerRun(10, choose))
}

func BenchmarkChoose(b *testing.B) {
	var c rebucket.Chooser
	bounds := make([]float64, 160)
	for i := range bounds {
		bounds[i] = math.Exp2(float64(i) / 8)
	}
	counts := samples.Count(bounds, samples.Distributions[2].Draw(100_000, 1))
	to := make([]float64, 0, 160)
	b.ReportAllocs()
	for b.Loop() {
		to = c.Choose(to, bounds, counts, 31, nil)
	}
}
