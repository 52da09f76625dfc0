package expo_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// observation is a value and its count. The oracle keeps all of them and does no arithmetic on buckets.
type observation struct {
	v float64
	n uint64
}

// check compares every bucket with the observations, bucketed at the histogram's scale.
func check(t *testing.T, h *expo.Histogram, all []observation) {
	t.Helper()
	var zero, count uint64
	lo, hi := math.Inf(1), math.Inf(-1)
	positive, negative := map[int32]uint64{}, map[int32]uint64{}
	for _, o := range all {
		count += o.n
		lo, hi = min(lo, o.v), max(hi, o.v)
		switch {
		case math.Abs(o.v) <= h.ZeroThreshold:
			zero += o.n
		case o.v > 0:
			positive[slowIndex(h.Scale, o.v)] += o.n
		default:
			negative[slowIndex(h.Scale, -o.v)] += o.n
		}
	}
	require.Equal(t, count, h.Count)
	require.Equal(t, zero, h.ZeroCount)
	requireSame(t, lo, h.Min)
	requireSame(t, hi, h.Max)
	require.True(t, maps.Equal(positive, occupied(h.Positive)), "positive: want %v got %v", positive, occupied(h.Positive))
	require.True(t, maps.Equal(negative, occupied(h.Negative)), "negative: want %v got %v", negative, occupied(h.Negative))
	require.LessOrEqual(t, len(h.Positive.Counts), h.MaxSize())
	require.LessOrEqual(t, len(h.Negative.Counts), h.MaxSize())
}

func slowIndex(scale int32, v float64) int32 {
	if scale < expo.MinScale {
		return index(expo.MinScale, v) >> (expo.MinScale - scale)
	}
	return index(scale, v)
}

func occupied(b expo.Buckets) map[int32]uint64 {
	m := map[int32]uint64{}
	for i, n := range b.Counts {
		if n > 0 {
			m[b.Offset+int32(i)] = n
		}
	}
	return m
}

func draw(rng *rand.Rand) float64 {
	switch rng.IntN(8) {
	case 0:
		return 0
	case 1:
		return randomPositive(rng)
	case 2:
		return -randomPositive(rng)
	case 3:
		return -math.Exp(rng.NormFloat64())
	default:
		return math.Exp(rng.NormFloat64() * 2)
	}
}

func TestRecordAgainstObservations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		h := expo.New([]int{0, 2, 3, 5, 20, 160, 320}[rng.IntN(7)])
		for range 2 { // the second time after a Reset
			var all []observation
			for range rng.IntN(300) + 1 {
				o := observation{draw(rng), rng.Uint64N(1<<20) + 1}
				all = append(all, o)
				h.Record(o.v, o.n)
			}
			check(t, h, all)
			h.Reset()
			check(t, h, nil)
		}
	}
}

func TestRecordNothing(t *testing.T) {
	h := expo.New(160)
	h.Record(5, 0)
	check(t, h, nil)
	require.Equal(t, expo.MaxScale, h.Scale)
}

func TestRecordKeepsTheFinestScaleThatFits(t *testing.T) {
	for _, tt := range []struct {
		size   int
		values []float64
		scale  int32
	}{
		{160, []float64{3}, 20},
		{160, []float64{3, 3, 3}, 20},
		{2, []float64{1, 2}, 0},      // buckets -1 and 0
		{2, []float64{1, 2, 3}, -1},  // (1/4,1] and (1,4]
		{160, []float64{1, 1024}, 3}, // 10*2^4 + 1 buckets are one too many
		{161, []float64{1, 1024}, 4},
		{2, []float64{math.SmallestNonzeroFloat64, math.MaxFloat64}, -11},
		{4, []float64{math.SmallestNonzeroFloat64, math.MaxFloat64}, -10},
	} {
		h := expo.New(tt.size)
		lo, hi := math.Inf(1), 0.0
		for _, v := range tt.values {
			h.Record(v, 1)
			lo, hi = min(lo, v), max(hi, v)
		}
		require.Equal(t, tt.scale, h.Scale, "%v", tt.values)
		if h.Scale < expo.MaxScale { // one finer would not fit
			require.GreaterOrEqual(t, int(slowIndex(h.Scale+1, hi)-slowIndex(h.Scale+1, lo)), tt.size)
		}
	}
}

func TestMergeAgainstObservations(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 500 {
		a, b := expo.New(rng.IntN(200)), expo.New(rng.IntN(200))
		var all []observation
		for _, h := range []*expo.Histogram{a, b} {
			for range rng.IntN(60) {
				o := observation{draw(rng), rng.Uint64N(100) + 1}
				all = append(all, o)
				h.Record(o.v, o.n)
			}
		}
		before := expo.Histogram{Scale: b.Scale, Positive: expo.Buckets{Offset: b.Positive.Offset, Counts: append([]uint64(nil), b.Positive.Counts...)}}
		a.Merge(b)
		check(t, a, all)
		require.Equal(t, before.Scale, b.Scale)
		require.Equal(t, before.Positive.Offset, b.Positive.Offset)
		require.Equal(t, occupied(before.Positive), occupied(b.Positive))
	}
}

func TestMergeWidensZero(t *testing.T) {
	build := func(threshold float64, values ...float64) *expo.Histogram {
		h := expo.New(160)
		h.ZeroThreshold = threshold
		for _, v := range values {
			h.Record(v, 1)
		}
		h.Downscale(h.Scale) // scale 0: bounds are powers of two
		return h
	}
	for _, tt := range []struct {
		name      string
		a, b      *expo.Histogram
		threshold float64
		zero      uint64
		positive  map[int32]uint64
	}{
		{"equal thresholds keep the bucket they lie in", build(3, 3.5, 1), build(3, 3.5), 3, 1, map[int32]uint64{1: 2}},
		{"larger wins, lower buckets go to zero", build(0, 1.5, 20), build(8, 20), 8, 1, map[int32]uint64{4: 2}},
		{"the other way round", build(8, 20), build(0, 1.5, 20), 8, 1, map[int32]uint64{4: 2}},
		{"inside an occupied bucket it rises", build(0, 6, 20), build(5, 7, 20), 8, 2, map[int32]uint64{4: 2}},
		{"the other way round", build(5, 7, 20), build(0, 6, 20), 8, 2, map[int32]uint64{4: 2}},
		{"occupied only where the threshold was known", build(5, 7), build(0, 20), 5, 0, map[int32]uint64{2: 1, 4: 1}},
		{"occupied on the negative side", build(0, -6), build(5), 8, 1, map[int32]uint64{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.a.Merge(tt.b)
			requireSame(t, tt.threshold, tt.a.ZeroThreshold)
			require.Equal(t, tt.zero, tt.a.ZeroCount)
			require.Equal(t, tt.positive, occupied(tt.a.Positive))
			require.Equal(t, tt.a.Count, tt.a.ZeroCount+tt.a.Positive.Total()+tt.a.Negative.Total())
		})
	}
}

// Buckets from outside may have any offset, scale, threshold and gap. After Merge the size is bounded, and no count is
// lost.
func TestMergeForeign(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	edge := []int32{math.MinInt32, math.MinInt32 + 1, -1 << 30, -65, -1, 0, 1, 64, 1 << 30, math.MaxInt32 - 1, math.MaxInt32}
	pick := func() int32 { return edge[rng.IntN(len(edge))] }
	thresholds := []float64{0, 1, math.NaN(), math.Inf(1), -1, math.SmallestNonzeroFloat64}
	for range 5000 {
		h := expo.New(1 + rng.IntN(20))
		want := uint64(0)
		for range 3 {
			o := &expo.Histogram{Scale: pick(), ZeroThreshold: thresholds[rng.IntN(len(thresholds))], Min: 1, Max: 1}
			for _, b := range []*expo.Buckets{&o.Positive, &o.Negative} {
				b.Offset = pick()
				b.Counts = make([]uint64, rng.IntN(100))
				for range rng.IntN(4) {
					if len(b.Counts) > 0 {
						b.Counts[rng.IntN(len(b.Counts))]++
					}
				}
				want += b.Total()
			}
			h.Merge(o)
		}
		require.Equal(t, want, h.ZeroCount+h.Positive.Total()+h.Negative.Total())
		require.LessOrEqual(t, len(h.Positive.Counts), h.MaxSize())
		require.LessOrEqual(t, cap(h.Positive.Counts), max(h.MaxSize(), 8))
	}
}

func TestCountsSaturate(t *testing.T) {
	h, o := expo.New(4), expo.New(4)
	h.Record(1, math.MaxUint64)
	h.Record(1, 5)
	require.Equal(t, uint64(math.MaxUint64), h.Count)
	require.Equal(t, []uint64{math.MaxUint64}, h.Positive.Counts)
	o.Record(1, 7)
	h.Merge(o)
	require.Equal(t, uint64(math.MaxUint64), h.Count)
	require.Equal(t, []uint64{math.MaxUint64}, h.Positive.Counts)
}

func TestAllocsRecord(t *testing.T) {
	h, values := expo.New(160), make([]float64, 1000)
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range values {
		values[i] = math.Exp(rng.NormFloat64() * 3)
	}
	fill := func() {
		h.Reset()
		for _, v := range values {
			h.Record(v, 1)
		}
	}
	fill()
	require.Zero(t, testing.AllocsPerRun(10, fill))
}

func TestAllocsMerge(t *testing.T) {
	h, a, b := expo.New(160), expo.New(160), expo.New(160)
	for i := range 100 {
		a.Record(float64(i), 1)
		b.Record(float64(-i)*1000, 1)
	}
	merge := func() {
		h.Reset()
		h.Merge(a)
		h.Merge(b)
	}
	merge()
	require.Zero(t, testing.AllocsPerRun(10, merge))
}

func BenchmarkRecord(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 5))
	values := make([]float64, 1024)
	for i := range values {
		values[i] = math.Exp(rng.NormFloat64())
	}
	b.Run("lognormal", func(b *testing.B) {
		h := expo.New(160)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			h.Record(values[i&1023], 1)
		}
	})
	b.Run("constant", func(b *testing.B) {
		h := expo.New(160)
		b.ReportAllocs()
		for b.Loop() {
			h.Record(3.7, 1)
		}
	})
}
