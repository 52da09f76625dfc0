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

// Counts converted to an exponential layout and back are exact at bounds that both
// have, and nothing is lost on the way.
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
		e := exponential{h.Scale, h.ZeroThreshold, h.ZeroCount, h.Positive, h.Negative}
		require.Equal(t, sum(counts), e.total())
		// Every source bound's cumulative count is within what the buckets allow.
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
		// (0, 16] is spread down to 2^-6: indexes -6..3, 16 itself ends bucket 3, bucket 4 takes the open end.
		{"from zero", []float64{0, 16}, 0, 160, 0, rebucket.Layout{Scale: 0, ZeroThreshold: 1.0 / 64, PositiveOffset: -6, Positive: 11}},
		{"across zero", []float64{-4, 16}, 0, 160, 0, rebucket.Layout{Scale: 0, ZeroThreshold: 1.0 / 64, PositiveOffset: -6, Positive: 11, NegativeOffset: -6, Negative: 9}},
		{"positive", []float64{3, 10}, 0, 160, 0, rebucket.Layout{Scale: 0, PositiveOffset: 1, Positive: 3}},
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
	otel := []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}
	for _, tt := range []struct {
		name string
		max  int
		pins []float64
		want []float64
	}{
		{"enough room", 16, nil, otel},
		{"evenly", 8, nil, []float64{0, 10, 50, 100, 500, 1000, 10000}},
		{"ends", 3, nil, []float64{0, 10000}},
		{"one bound", 2, nil, []float64{250}},
		{"none", 1, nil, []float64{}},
		{"pinned", 4, []float64{75, 250, 7500}, []float64{75, 250, 7500}},
		{"pinned and others", 5, []float64{75}, []float64{0, 75, 250, 10000}},
		{"a pin that is no bound", 3, []float64{60}, []float64{0, 10000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := rebucket.Subset(otel, tt.max, tt.pins)
			require.LessOrEqual(t, len(got), tt.max-1)
			if tt.name != "evenly" && tt.name != "pinned and others" {
				require.Equal(t, tt.want, got)
				return
			}
			require.Len(t, got, len(tt.want))
			require.True(t, slices.IsSorted(got))
			require.Subset(t, otel, got)
			require.Subset(t, got, tt.pins)
			require.Equal(t, []float64{0, 10000}, []float64{got[0], got[len(got)-1]})
		})
	}
}
