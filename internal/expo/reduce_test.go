package expo_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// randomForeign returns a histogram as it may come from outside, with any scale, offset and length.
func randomForeign(rng *rand.Rand) *expo.Histogram {
	h := &expo.Histogram{Scale: rng.Int32N(40) - 12, ZeroCount: rng.Uint64N(1 << 30)}
	for _, b := range []*expo.Buckets{&h.Positive, &h.Negative} {
		b.Offset = rng.Int32N(4001) - 2000
		if rng.IntN(8) == 0 {
			b.Offset = []int32{math.MinInt32, -1 << 20, 1 << 20, math.MaxInt32 - 300}[rng.IntN(4)]
		}
		b.Counts = make([]uint64, rng.IntN(200))
		for i := range b.Counts {
			if rng.IntN(3) > 0 {
				b.Counts[i] = rng.Uint64N(1 << 40)
			}
		}
	}
	h.Count = h.ZeroCount + h.Positive.Total() + h.Negative.Total()
	return h
}

// joined returns the occupied buckets after lowering the scale by some steps.
func joined(b expo.Buckets, by int32) map[int64]uint64 {
	m := map[int64]uint64{}
	for i, n := range b.Counts {
		if n > 0 {
			m[(int64(b.Offset)+int64(i))>>min(by, 63)] += n
		}
	}
	return m
}

func clone(h *expo.Histogram) *expo.Histogram {
	c := *h
	c.Positive.Counts = append([]uint64{}, h.Positive.Counts...)
	c.Negative.Counts = append([]uint64{}, h.Negative.Counts...)
	return &c
}

// Every reduction reaches its target at the highest possible scale, and joins whole buckets only.
func TestReduce(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 5000 {
		h := randomForeign(rng)
		before, n := clone(h), rng.IntN(200)
		var reached func(h *expo.Histogram) bool
		switch rng.IntN(3) {
		case 0:
			scale := rng.Int32N(40) - 15
			h.ToScale(scale)
			reached = func(h *expo.Histogram) bool { return h.Scale <= scale }
		case 1:
			h.ToSize(n)
			reached = func(h *expo.Histogram) bool {
				return len(h.Positive.Trimmed().Counts) <= max(n, 2) && len(h.Negative.Trimmed().Counts) <= max(n, 2)
			}
		case 2:
			h.ToTotal(n)
			reached = func(h *expo.Histogram) bool {
				return len(h.Positive.Trimmed().Counts)+len(h.Negative.Trimmed().Counts) <= max(n, 4)
			}
		}
		require.True(t, reached(h))
		by := before.Scale - h.Scale
		require.GreaterOrEqual(t, by, int32(0))
		require.Equal(t, joined(before.Positive, by), joined(h.Positive, 0))
		require.Equal(t, joined(before.Negative, by), joined(h.Negative, 0))
		require.Equal(t, before.ZeroCount, h.ZeroCount)
		if by > 0 {
			before.Downscale(by - 1)
			require.False(t, reached(before))
		}
	}
}

func TestRaiseZero(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 5000 {
		h := randomForeign(rng)
		h.ToScale(expo.MaxScale)
		h.ZeroThreshold = math.Exp(rng.NormFloat64() * 4)
		before, threshold := clone(h), math.Exp(rng.NormFloat64()*4)
		h.RaiseZero(threshold)
		if threshold <= before.ZeroThreshold {
			require.Equal(t, before, h)
			continue
		}
		require.Equal(t, before.Scale, h.Scale)
		require.GreaterOrEqual(t, h.ZeroThreshold, threshold)
		index := expo.Index(h.Scale, threshold)
		require.InDelta(t, min(expo.UpperBound(h.Scale, index), math.MaxFloat64), h.ZeroThreshold, 0)
		zero := before.ZeroCount
		for _, sign := range []struct{ before, after expo.Buckets }{{before.Positive, h.Positive}, {before.Negative, h.Negative}} {
			want := joined(sign.before, 0)
			for i, n := range want {
				if i <= int64(index) {
					zero += n
					delete(want, i)
				}
			}
			require.Equal(t, want, joined(sign.after, 0))
		}
		require.Equal(t, zero, h.ZeroCount)
		again := clone(h)
		again.RaiseZero(h.ZeroThreshold)
		require.Equal(t, h, again)
	}
}

func TestRaiseToBound(t *testing.T) {
	for _, tt := range []struct {
		scale           int32
		threshold, want float64
	}{
		{0, 0, 0},
		{0, -1, 0},
		{0, math.NaN(), 0},
		{0, 1, 1},
		{0, 1.1, 2},
		{1, 1.1, expo.UpperBound(1, 0)},
		{-10, 2, math.MaxFloat64},
		{0, math.MaxFloat64, math.MaxFloat64},
	} {
		requireSame(t, tt.want, expo.RaiseToBound(tt.scale, tt.threshold))
	}
}

// The scale of a histogram from outside may be any int32.
func TestReduceFromAfar(t *testing.T) {
	h := &expo.Histogram{Scale: math.MaxInt32, Positive: expo.Buckets{Offset: 5, Counts: []uint64{1, 2}}}
	h.ToScale(math.MinInt32)
	require.Equal(t, expo.Buckets{Offset: 0, Counts: []uint64{3}}, h.Positive)
	h.Downscale(1)
	require.Equal(t, int32(math.MinInt32), h.Scale)
}

// At the lowest scale buckets are still joined until they are few enough.
func TestReduceFromTheLowestScale(t *testing.T) {
	lowest := func() *expo.Histogram {
		return &expo.Histogram{
			Scale:    math.MinInt32 + 1,
			Positive: expo.Buckets{Offset: -50, Counts: slices.Repeat([]uint64{1}, 100)},
			Negative: expo.Buckets{Offset: math.MaxInt32 - 200, Counts: slices.Repeat([]uint64{2}, 100)},
		}
	}
	for name, reduce := range map[string]func(*expo.Histogram){
		"size":  func(h *expo.Histogram) { h.ToSize(2) },
		"total": func(h *expo.Histogram) { h.ToTotal(4) },
	} {
		h := lowest()
		reduce(h)
		require.Equal(t, int32(math.MinInt32), h.Scale, name)
		require.LessOrEqual(t, len(h.Positive.Counts), 2, name)
		require.LessOrEqual(t, len(h.Negative.Counts), 2, name)
		require.Equal(t, uint64(100), h.Positive.Total(), name)
		require.Equal(t, uint64(200), h.Negative.Total(), name)
	}
}

func TestAllocsReduce(t *testing.T) {
	h, from := expo.New(160), expo.New(160)
	for i := range 1000 {
		from.Record(float64(i-300), 1)
	}
	reduce := func() {
		h.Reset()
		h.Merge(from)
		h.RaiseZero(3)
		h.ToTotal(50)
		h.ToSize(10)
		h.ToScale(-3)
	}
	reduce()
	require.Zero(t, testing.AllocsPerRun(10, reduce))
}
