package rebucket_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// randomBuckets returns up to 200 buckets anywhere within the indexes of scale.
func randomBuckets(rng *rand.Rand, scale int32, counts []uint64) expo.Buckets {
	lowest, highest := expo.Index(scale, 1e-300), expo.Index(scale, 1e300)
	offset := lowest + rng.Int32N(max(highest-lowest, 1))
	if rng.IntN(2) == 0 {
		offset = rng.Int32N(101) - 50
	}
	return expo.Buckets{Offset: max(offset, lowest), Counts: counts}
}

type exponential struct {
	scale              int32
	threshold          float64
	zero               uint64
	positive, negative expo.Buckets
	zeroBoth           bool // the zero bucket may have negative observations even if negative is empty
}

// bounds returns target bounds. Some of them are bounds of the buckets.
func (e exponential) bounds(rng *rand.Rand) []float64 {
	var at []float64
	for _, b := range []struct {
		expo.Buckets
		sign float64
	}{{e.positive, 1}, {e.negative, -1}} {
		for i := range b.Counts {
			if u := expo.UpperBound(e.scale, b.Offset+int32(i)); u > 0 && !math.IsInf(u, 0) {
				at = append(at, b.sign*u)
			}
		}
	}
	if e.threshold > 0 {
		at = append(at, e.threshold, -e.threshold, e.threshold/3)
	}
	return randomBounds(rng, at...)
}

func randomExponential(rng *rand.Rand) exponential {
	e := exponential{scale: rng.Int32N(31) - 10}
	n, m := rng.IntN(200), rng.IntN(200)
	counts := randomCounts(rng, n+m+1)
	e.positive = randomBuckets(rng, e.scale, counts[:n])
	e.negative = randomBuckets(rng, e.scale, counts[n:n+m])
	e.zero = counts[n+m]
	if rng.IntN(2) == 0 {
		e.threshold = math.Exp(rng.NormFloat64() * 3)
		e.positive = above(e.positive, e)
		e.negative = above(e.negative, e)
	}
	return e
}

// above moves a run so that all of its buckets are above the zero threshold.
func above(b expo.Buckets, e exponential) expo.Buckets {
	b.Offset = max(b.Offset, expo.Index(e.scale, math.Nextafter(e.threshold, math.Inf(1))))
	return b
}

func (e exponential) total() uint64 {
	return e.zero + e.positive.Total() + e.negative.Total()
}

// atMost returns the least and the largest possible number of observations at or below v.
func (e exponential) atMost(v float64) (lo, hi uint64) {
	for i, n := range e.positive.Counts {
		index := e.positive.Offset + int32(i)
		if math.Max(expo.LowerBound(e.scale, index), e.threshold) < v {
			hi += n
		}
		if expo.UpperBound(e.scale, index) <= v {
			lo += n
		}
	}
	for i, n := range e.negative.Counts {
		index := e.negative.Offset + int32(i)
		if -expo.UpperBound(e.scale, index) < v {
			hi += n
		}
		if -math.Max(expo.LowerBound(e.scale, index), e.threshold) <= v {
			lo += n
		}
	}
	low := -e.threshold // lower end of the zero bucket
	if e.negative.Total() == 0 && !e.zeroBoth {
		low = 0
	}
	if low < v || e.threshold == 0 && v == 0 {
		hi += e.zero
	}
	if e.threshold <= v {
		lo += e.zero
	}
	return lo, hi
}

// exponentialPlan is a plan with the number of buckets of its target.
type exponentialPlan struct {
	*rebucket.ExponentialPlan
	buckets int
}

func (e exponential) plan(target []float64, split rebucket.Split) exponentialPlan {
	p := rebucket.NewExponentialPlan(target, e.scale, e.threshold, rebucket.ZeroSideOf(e.negative), split)
	return exponentialPlan{p, len(target) + 1}
}

func (e exponential) apply(p exponentialPlan) ([]uint64, rebucket.Tally) {
	out := make([]uint64, p.buckets)
	tally := p.Apply(out, e.zero, e.positive, e.negative)
	return out, tally
}

func TestExponentialPlanConservesCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		e := randomExponential(rng)
		out, _ := e.apply(e.plan(e.bounds(rng), splits[rng.IntN(len(splits))]))
		require.Equal(t, e.total(), sum(out))
	}
}

// The cumulative count at each target bound is between the least and the largest possible one. They are equal at a shared
// bound, and differ by one bucket's count elsewhere.
func TestExponentialPlanIsExactAtSharedBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	shared := 0
	for range 5000 {
		e := randomExponential(rng)
		target := e.bounds(rng)
		out, tally := e.apply(e.plan(target, splits[rng.IntN(len(splits))]))
		for i, got := range cumulative(out)[:len(target)] {
			lo, hi := e.atMost(target[i])
			if got < lo || got > hi || hi-lo > tally.Straddled {
				t.Fatalf("%d at bound %v, must be from %d to %d, %+v of %+v", got, target[i], lo, hi, tally, e)
			}
			if lo == hi {
				shared++
			}
		}
	}
	require.Greater(t, shared, 10000)
}

func TestExponentialPlanNeverDecreases(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		e := randomExponential(rng)
		plan := e.plan(e.bounds(rng), splits[rng.IntN(len(splits))])
		last, _ := e.apply(plan)
		room := math.MaxUint64 - e.total()
		for range 20 {
			grow := min(room, max(1, rng.Uint64()>>rng.IntN(64)))
			room -= grow
			switch {
			case len(e.positive.Counts) > 0 && rng.IntN(2) == 0:
				e.positive.Counts[rng.IntN(len(e.positive.Counts))] += grow
			case len(e.negative.Counts) > 0 && rng.IntN(2) == 0:
				e.negative.Counts[rng.IntN(len(e.negative.Counts))] += grow
			default:
				e.zero += grow
			}
			out, _ := e.apply(plan)
			for i := range out {
				if out[i] < last[i] {
					t.Fatalf("bucket %d: %d after %d", i, out[i], last[i])
				}
			}
			last = out
		}
	}
}

func TestPowersOfTwoAreExactAtScalesFromZero(t *testing.T) {
	var pow2 []float64
	for e := -20; e <= 20; e++ {
		pow2 = append(pow2, math.Ldexp(1, e))
	}
	for scale := expo.MinScale; scale <= expo.MaxScale; scale++ {
		p := rebucket.NewExponentialPlan(pow2, scale, 0, rebucket.ZeroPositive, rebucket.Log)
		require.Equal(t, scale >= 0, p.Exact(), "scale %d", scale)
	}
}

func TestExponentialPlanTable(t *testing.T) {
	for _, tt := range []struct {
		name   string
		source exponential
		target []float64
		want   []uint64
	}{
		{"zero at zero", exponential{zero: 5}, []float64{-1, 0, 1}, []uint64{0, 5, 0, 0}},
		{"zero without a bound at zero", exponential{zero: 5}, []float64{-1, 1}, []uint64{0, 5, 0}},
		{"zero below all bounds", exponential{zero: 5}, []float64{1, 2}, []uint64{5, 0, 0}},
		{"zero bucket is spread linearly", exponential{zero: 100, threshold: 2, negative: expo.Buckets{Offset: 5, Counts: []uint64{1}}}, []float64{-1, 1}, []uint64{26, 50, 25}},
		{"above zero without negative buckets", exponential{zero: 1000, threshold: 0.5}, []float64{-0.1, 0, 0.35}, []uint64{0, 0, 700, 300}},
		{
			"split in the logarithm", exponential{positive: expo.Buckets{Offset: 0, Counts: []uint64{0, 1000}}}, // (2, 4]
			[]float64{2 * math.Sqrt2}, []uint64{500, 500},
		},
		{
			"mirrored", exponential{negative: expo.Buckets{Offset: 0, Counts: []uint64{8, 1000}}}, // [-4, -2)
			[]float64{-2 * math.Sqrt2}, []uint64{500, 508},
		},
		{
			"beyond all bounds",
			exponential{
				positive: expo.Buckets{Offset: 5, Counts: []uint64{1, 2}}, negative: expo.Buckets{Offset: 9, Counts: []uint64{4}},
			},
			[]float64{-1, 1},
			[]uint64{4, 0, 3},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := tt.source.apply(tt.source.plan(tt.target, rebucket.Log))
			for i := range got {
				require.InDelta(t, tt.want[i], got[i], 1, "%v", got)
			}
		})
	}
}

// TestLogSplitAgainstSamples draws samples whose logarithms are uniformly distributed. Counting them directly in the
// target and converting their exponential histogram must agree within sampling noise.
func TestLogSplitAgainstSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	target := []float64{0.1, 0.3, 1, 3, 10, 30}
	h, want := expo.New(20), make([]uint64, len(target)+1)
	const samples = 200_000
	for range samples {
		v := math.Exp(rng.Float64()*10 - 5)
		h.Record(v, 1)
		i := 0
		for i < len(target) && v > target[i] {
			i++
		}
		want[i]++
	}
	got := make([]uint64, len(want))
	plan := rebucket.NewExponentialPlan(target, h.Scale, 0, rebucket.ZeroPositive, rebucket.Log)
	plan.Apply(got, h.ZeroCount, h.Positive, h.Negative)
	f, g := cumulative(want), cumulative(got)
	for i := range f {
		require.InDelta(t, float64(f[i]), float64(g[i]), 0.003*samples, "bound %d", i)
	}
}

// Offsets and zero thresholds come from outside and may have any value.
func TestExponentialPlanAcceptsAnyOffset(t *testing.T) {
	for _, scale := range []int32{math.MinInt32, -11, 0, 20} {
		for _, offset := range []int32{math.MinInt32, -1, 0, math.MaxInt32 - 1, math.MaxInt32} {
			for _, threshold := range []float64{0, 1, math.NaN(), math.Inf(1), -1, math.MaxFloat64} {
				b := expo.Buckets{Offset: offset, Counts: []uint64{1, 2, 3}}
				target := []float64{-1, 0, 1, math.MaxFloat64}
				p := rebucket.NewExponentialPlan(target, scale, threshold, rebucket.ZeroBoth, rebucket.Log)
				out := make([]uint64, len(target)+1)
				p.Apply(out, 5, b, b)
				require.Equal(t, uint64(17), sum(out))
			}
		}
	}
}

func BenchmarkExponentialPlan(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	h := expo.New(160)
	for range 10000 {
		h.Record(math.Exp(rng.NormFloat64()*1.5+3), 1)
	}
	target := []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}
	plan := rebucket.NewExponentialPlan(target, h.Scale, 0, rebucket.ZeroPositive, rebucket.Log)
	out := make([]uint64, len(target)+1)
	b.ReportAllocs()
	for b.Loop() {
		plan.Apply(out, h.ZeroCount, h.Positive, h.Negative)
	}
}
