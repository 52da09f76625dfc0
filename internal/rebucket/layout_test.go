package rebucket_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

func TestLayoutFitsAndIsFinest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		source := randomBounds(rng)
		size := rng.IntN(300)
		l, ok := rebucket.NewLayout(source, rng.Int32N(31)-10, size, float64(rng.IntN(2)))
		require.Equal(t, !slices.Equal(source, []float64{0}), ok)
		if !ok {
			continue
		}
		require.LessOrEqual(t, max(l.Positive, l.Negative), max(size, 2))
		bounds := l.Bounds()
		require.Len(t, bounds, l.Buckets()-1)
		require.True(t, slices.IsSorted(bounds))
		for _, b := range bounds {
			require.LessOrEqual(t, l.ZeroThreshold, math.Abs(b))
		}
	}
}

// Counts that are converted to an exponential layout are exact at shared bounds, and no observation is lost.
func TestToExponential(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 5000 {
		source := randomBounds(rng)
		l, ok := rebucket.NewLayout(source, rng.Int32N(12)-2, 160, 0)
		if !ok {
			continue
		}
		bounds := l.Bounds()
		counts := randomCounts(rng, len(source)+1)
		out := make([]uint64, l.Buckets())
		rebucket.Explicit(bounds, source, counts, out, rebucket.Log)
		before, after := cumulative(counts), cumulative(out)
		for j, b := range bounds {
			if i, shared := slices.BinarySearch(source, b); shared {
				require.Equal(t, before[i], after[j])
			}
		}
		var h expo.Histogram
		l.Histogram(&h, out)
		e := exponential{h.Scale, h.ZeroThreshold, h.ZeroCount, h.Positive, h.Negative, true}
		require.Equal(t, sum(counts), e.total())
		// The cumulative count at every inner source bound is in the range that the new buckets allow.
		for i, b := range source {
			lo, hi := e.atMost(b)
			if i > 0 && i < len(source)-1 {
				require.LessOrEqual(t, lo, before[i], "source %v layout %+v bound %v", source, l, b)
				require.GreaterOrEqual(t, hi, before[i], "source %v layout %+v bound %v", source, l, b)
			}
		}
	}
}

func TestLayoutTable(t *testing.T) {
	for _, tt := range []struct {
		name   string
		source []float64
		scale  int32
		size   int
		zero   float64
		want   rebucket.Layout
	}{
		// (0, 16] is spread down to 2^-6 over the indexes -6 to 3. Bucket 3 ends at 16, and bucket 4 is for the open end.
		{"from zero", []float64{0, 16}, 0, 160, 0, rebucket.Layout{Scale: 0, ZeroThreshold: 1.0 / 64, PositiveOffset: -6, Positive: 11}},
		{"across zero", []float64{-4, 16}, 0, 160, 0, rebucket.Layout{Scale: 0, ZeroThreshold: 1.0 / 64, PositiveOffset: -6, Positive: 11, NegativeOffset: -6, Negative: 9}},
		// (0, 3] is spread down to 2^-8.
		{"positive", []float64{3, 10}, 0, 160, 0, rebucket.Layout{Scale: 0, ZeroThreshold: 1.0 / 256, PositiveOffset: -8, Positive: 12}},
		{"negative", []float64{-10, -3}, 0, 160, 0, rebucket.Layout{Scale: 0, NegativeOffset: 1, Negative: 3}},
		{"size lowers the scale", []float64{0, 16}, 0, 6, 0, rebucket.Layout{Scale: -1, ZeroThreshold: 1.0 / 64, PositiveOffset: -3, Positive: 6}},
		{"threshold is raised to a bound", []float64{3, 100}, 0, 160, 5, rebucket.Layout{Scale: 0, ZeroThreshold: 8, PositiveOffset: 3, Positive: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := rebucket.NewLayout(tt.source, tt.scale, tt.size, tt.zero)
			require.True(t, ok)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestSubset(t *testing.T) {
	eight := []float64{1, 2, 3, 4, 5, 6, 7, 8}
	for _, tt := range []struct {
		name string
		max  int
		pins []float64
		want []float64
	}{
		{"enough room", 9, nil, eight},
		{"as even as possible", 5, nil, []float64{1, 3, 5, 7}}, // groups of 1, 2, 2, 2 and 2 buckets
		{"evenly", 3, nil, []float64{3, 6}},
		{"one bound", 2, nil, []float64{4}},
		{"none", 1, nil, []float64{}},
		{"pinned", 4, []float64{8, 2, 3}, []float64{2, 3, 8}},
		{"pinned and others", 4, []float64{2}, []float64{2, 4, 6}},
		{"a pin that is no bound", 3, []float64{2.5}, []float64{3, 6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, rebucket.Subset(eight, tt.max, tt.pins))
		})
	}
}

// Without pins the numbers of joined buckets differ by at most one. With pins no other choice of the remaining bounds has
// a smaller largest group.
func TestSubsetIsEven(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 5000 {
		bounds := make([]float64, 1+rng.IntN(60))
		for i := range bounds {
			bounds[i] = float64(i)
		}
		size := 1 + rng.IntN(len(bounds)+2)
		var pins []float64
		for range rng.IntN(size) {
			if pin := bounds[rng.IntN(len(bounds))]; rng.IntN(2) == 0 && !slices.Contains(pins, pin) {
				pins = append(pins, pin)
			}
		}
		got := rebucket.Subset(bounds, size, pins)
		require.Len(t, got, min(size-1, len(bounds)))
		require.Subset(t, got, pins)
		sizes, last := []int{}, -1
		for _, b := range append(slices.Clone(got), float64(len(bounds))) {
			sizes = append(sizes, int(b)-last)
			last = int(b)
		}
		if len(pins) == 0 {
			require.LessOrEqual(t, slices.Max(sizes)-slices.Min(sizes), 1)
			continue
		}
		slices.Sort(pins)
		free, largest := size-1-len(pins), slices.Max(sizes)
		needed := 0 // bounds that smaller groups would need
		last = -1
		for _, pin := range append(slices.Clone(pins), float64(len(bounds))) {
			if largest > 1 {
				needed += (int(pin)-last+largest-2)/(largest-1) - 1
			}
			last = int(pin)
		}
		require.True(t, largest == 1 || needed > free, "%v of %d, pins %v", got, len(bounds), pins)
	}
}
