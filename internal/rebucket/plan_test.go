package rebucket_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

var splits = []rebucket.Split{rebucket.Log, rebucket.Linear, rebucket.Upper, rebucket.Midpoint, rebucket.PCHIP}

// randomBounds returns 1 to 20 increasing bounds of any sign. Some of them are elements of others, so that two layouts
// share bounds.
func randomBounds(rng *rand.Rand, others ...float64) []float64 {
	set := map[float64]bool{}
	for range rng.IntN(20) + 1 {
		var b float64
		switch rng.IntN(6) {
		case 0:
			b = float64(rng.IntN(41) - 20)
		case 1:
			b = math.Exp(rng.NormFloat64() * 5)
		case 2:
			b = -math.Exp(rng.NormFloat64() * 5)
		case 3:
			b = math.Ldexp(1, rng.IntN(2000)-1000)
		default:
			b = rng.Float64() * 100
		}
		if len(others) > 0 && rng.IntN(3) == 0 {
			b = others[rng.IntN(len(others))]
		}
		set[b] = true
	}
	bounds := make([]float64, 0, len(set))
	for b := range set {
		bounds = append(bounds, b)
	}
	slices.Sort(bounds)
	return bounds
}

// randomCounts returns n counts, up to near 2^64, whose sum fits a uint64.
func randomCounts(rng *rand.Rand, n int) []uint64 {
	counts := make([]uint64, n)
	room := uint64(math.MaxUint64)
	for _, i := range rng.Perm(n) {
		if rng.IntN(4) > 0 && room > 0 {
			counts[i] = rng.Uint64N(room) >> rng.IntN(64)
			room -= counts[i]
		}
	}
	return counts
}

// randomConversion returns source bounds, target bounds that share some of them, and counts of the source.
func randomConversion(rng *rand.Rand) (source, target []float64, counts []uint64) {
	source = randomBounds(rng)
	return source, randomBounds(rng, source...), randomCounts(rng, len(source)+1)
}

func sum(counts []uint64) uint64 {
	var s uint64
	for _, n := range counts {
		s += n
	}
	return s
}

// cumulative returns the sums of counts[0] to counts[i].
func cumulative(counts []uint64) []uint64 {
	out := make([]uint64, len(counts))
	var s uint64
	for i, n := range counts {
		s += n
		out[i] = s
	}
	return out
}

func TestPlanConservesCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		source, target, counts := randomConversion(rng)
		out := make([]uint64, len(target)+1)
		rebucket.Explicit(target, source, counts, out, splits[rng.IntN(len(splits))])
		require.Equal(t, sum(counts), sum(out))
	}
}

func TestPlanIsExactAtSharedBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	shared := 0
	for range 20000 {
		source, target, counts := randomConversion(rng)
		out := make([]uint64, len(target)+1)
		rebucket.Explicit(target, source, counts, out, splits[rng.IntN(len(splits))])
		before, after := cumulative(counts), cumulative(out)
		for j, b := range target {
			if i, ok := slices.BinarySearch(source, b); ok {
				shared++
				require.Equal(t, before[i], after[j], "source %v target %v bound %v", source, target, b)
			}
		}
	}
	require.Greater(t, shared, 10000)
}

// |F'(b) - F(b)| is at most the count of the source bucket that b cuts. This means that F'(b) is between the values of F
// at the source bounds around b. If b cuts an open end, all of its count is beyond b.
func TestPlanErrorIsBoundedByTheBucketCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 20000 {
		source, target, counts := randomConversion(rng)
		out := make([]uint64, len(target)+1)
		tally := rebucket.Explicit(target, source, counts, out, splits[rng.IntN(len(splits))])
		before, after := cumulative(counts), cumulative(out)
		for j, b := range target {
			i, shared := slices.BinarySearch(source, b) // b is in source bucket i
			switch {
			case shared:
			case i == len(source):
				require.Equal(t, before[i-1], after[j])
			case i == 0 && source[0] <= 0:
				require.Equal(t, counts[0], after[j])
			case i == 0 && b <= 0:
				require.Zero(t, after[j])
			default:
				if i > 0 {
					require.GreaterOrEqual(t, after[j], before[i-1])
				}
				require.LessOrEqual(t, after[j], before[i])
				require.LessOrEqual(t, counts[i], tally.Straddled)
			}
		}
	}
}

// A cumulative stream grows by random increments, some of them by one. No bucket of the output may decrease. The counts go
// up to near 2^64, for which shares in float64 are not accurate enough.
func TestPlanNeverDecreases(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	exports := 0
	for range 2000 {
		source, target, counts := randomConversion(rng)
		plan := rebucket.NewPlan(target, source, splits[rng.IntN(len(splits))])
		room := math.MaxUint64 - sum(counts)
		last, out := make([]uint64, len(target)+1), make([]uint64, len(target)+1)
		plan.Apply(last, counts)
		for range 20 {
			i := rng.IntN(len(counts))
			grow := min(room, uint64(1))
			if rng.IntN(2) == 0 {
				grow = min(room, rng.Uint64()>>rng.IntN(64))
			}
			counts[i] += grow
			room -= grow
			plan.Apply(out, counts)
			for k := range out {
				if out[k] < last[k] {
					t.Fatalf("bucket %d: %d after %d", k, out[k], last[k])
				}
			}
			last, out = out, last
			exports++
		}
	}
	require.Equal(t, 40000, exports)
}

func TestPlanIsIdempotent(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 5000 {
		source, target, counts := randomConversion(rng)
		once := make([]uint64, len(target)+1)
		twice := make([]uint64, len(target)+1)
		split := splits[rng.IntN(len(splits))]
		rebucket.Explicit(target, source, counts, once, split)
		tally := rebucket.Explicit(target, target, once, twice, split)
		require.Equal(t, once, twice)
		require.Zero(t, tally)
	}
}

// TestLinearSplitAgainstRationals computes each cumulative count as a rational number, F(b) = before + n*(b-lo)/(hi-lo).
// The parts of the tree are products of floored shares. So they may differ by a few observations and by the precision of
// shares in float64, but not by more.
func TestLinearSplitAgainstRationals(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for range 5000 {
		source := randomBounds(rng)
		target := randomBounds(rng, source...)
		counts := make([]uint64, len(source)+1)
		for i := range counts {
			counts[i] = rng.Uint64N(1 << 40)
		}
		out := make([]uint64, len(target)+1)
		rebucket.Explicit(target, source, counts, out, rebucket.Linear)
		before, after := cumulative(counts), cumulative(out)
		for j, b := range target {
			i, shared := slices.BinarySearch(source, b)
			if shared || i == 0 || i == len(source) {
				continue
			}
			part := new(big.Rat).Quo(new(big.Rat).Sub(rat(b), rat(source[i-1])), new(big.Rat).Sub(rat(source[i]), rat(source[i-1])))
			part.Mul(part, new(big.Rat).SetUint64(counts[i]))
			want, _ := part.Float64()
			require.InDelta(t, want, float64(after[j]-before[i-1]), 10, "source %v bound %v", source, b)
		}
	}
}

func TestSplitTable(t *testing.T) {
	for _, tt := range []struct {
		name           string
		split          rebucket.Split
		source, target []float64
		counts, want   []uint64
	}{
		{"merge to a subset", rebucket.Log, []float64{0, 5, 10, 25}, []float64{0, 10}, []uint64{1, 2, 4, 8, 16}, []uint64{1, 6, 24}},
		{"log", rebucket.Log, []float64{1, 100}, []float64{10}, []uint64{0, 100, 0}, []uint64{50, 50}},
		{"log, negative", rebucket.Log, []float64{-1000, -1}, []float64{-10}, []uint64{0, 300, 0}, []uint64{200, 100}},
		{"log touching zero is linear", rebucket.Log, []float64{0, 100}, []float64{10}, []uint64{0, 100, 0}, []uint64{10, 90}},
		{"log across zero is linear", rebucket.Log, []float64{-100, 100}, []float64{0}, []uint64{0, 100, 0}, []uint64{50, 50}},
		{"linear", rebucket.Linear, []float64{1, 5}, []float64{2, 4}, []uint64{0, 100, 0}, []uint64{25, 50, 25}},
		{"upper", rebucket.Upper, []float64{1, 5}, []float64{2, 4}, []uint64{0, 100, 0}, []uint64{0, 0, 100}},
		{"midpoint", rebucket.Midpoint, []float64{1, 5}, []float64{2, 4}, []uint64{0, 100, 0}, []uint64{0, 100, 0}},
		{"midpoint on a bound", rebucket.Midpoint, []float64{1, 5}, []float64{3}, []uint64{0, 100, 0}, []uint64{100, 0}},
		{"above the last bound is the highest bucket", rebucket.Log, []float64{10, 20}, []float64{15, 30, 40}, []uint64{0, 100, 9}, []uint64{58, 42, 0, 9}},
		{"the lowest bucket begins at zero", rebucket.Log, []float64{10, 20}, []float64{-3, 0, 1, 5}, []uint64{100, 0, 0}, []uint64{0, 0, 10, 40, 50}},
		{"or is the lowest of the target", rebucket.Log, []float64{0, 20}, []float64{-3, -2, 10}, []uint64{7, 100, 0}, []uint64{7, 0, 50, 50}},
		{"an open end that is shared", rebucket.Log, []float64{10, 20}, []float64{10, 20, 40}, []uint64{7, 1, 9}, []uint64{7, 1, 0, 9}},
		{"the whole range of float64", rebucket.Linear, []float64{-math.MaxFloat64, math.MaxFloat64}, []float64{0}, []uint64{0, 100, 0}, []uint64{50, 50}},
		{"one ulp wide", rebucket.Log, []float64{1, math.Nextafter(1, 2)}, []float64{2}, []uint64{1, 2, 3}, []uint64{3, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make([]uint64, len(tt.target)+1)
			rebucket.Explicit(tt.target, tt.source, tt.counts, got, tt.split)
			require.Equal(t, sum(tt.counts), sum(got))
			for i := range got { // because shares are floored, an observation may be in the next higher bucket
				require.InDelta(t, tt.want[i], got[i], 1, "%v", got)
			}
		})
	}
}

func TestTally(t *testing.T) {
	out := make([]uint64, 4)
	tally := rebucket.Explicit([]float64{1, 15, 40}, []float64{10, 20, 30}, []uint64{7, 5, 100, 9}, out, rebucket.Log)
	require.Equal(t, rebucket.Tally{Straddled: 7, Open: 9}, tally)
	tally = rebucket.Explicit([]float64{-20, 10}, []float64{0, 10}, []uint64{7, 5, 100}, out[:3], rebucket.Log)
	require.Equal(t, rebucket.Tally{Open: 7}, tally)
	for _, tt := range []struct {
		target, source []float64
		splits, exact  bool
	}{
		{[]float64{15}, []float64{10, 20}, true, false},
		{[]float64{10}, []float64{10, 20}, false, true},
		{[]float64{10, 90}, []float64{10, 20}, false, false},
		{[]float64{5}, []float64{10, 20}, true, false},
		{[]float64{0, 10}, []float64{10, 20}, false, false},
		{[]float64{-5, 0}, []float64{0, 20}, false, false},
	} {
		p := rebucket.NewPlan(tt.target, tt.source, rebucket.Log)
		require.Equal(t, []bool{tt.splits, tt.exact}, []bool{p.Splits(), p.Exact()}, "%+v", tt)
	}
}

// In an exponential layout the counts of an open end go beside the source's outermost bound, and the tally includes them.
func TestOpenEndsOfLayouts(t *testing.T) {
	for _, tt := range []struct {
		source []float64
		open   uint64
	}{{[]float64{10, 20}, 9}, {[]float64{0, 20}, 16}, {[]float64{-20, -1}, 16}} {
		l, ok := rebucket.NewLayout(tt.source, 3, 160, 0)
		require.True(t, ok)
		out := make([]uint64, l.Buckets())
		tally := rebucket.NewLayoutPlan(l, tt.source, rebucket.Log).Apply(out, []uint64{7, 0, 9})
		require.Equal(t, tt.open, tally.Open, tt.source)
		require.Equal(t, uint64(16), sum(out))
		var h expo.Histogram
		l.Histogram(&h, out)
		if tt.source[0] >= 0 {
			require.Equal(t, uint64(9), h.Positive.Counts[len(h.Positive.Counts)-1])
			continue
		}
		require.Zero(t, h.ZeroCount)
		require.Equal(t, uint64(9), h.Negative.Counts[0])
	}
}

func TestAllocsApply(t *testing.T) {
	source, target := []float64{1, 2, 4, 8}, []float64{3, 5, 6, 7}
	plan := rebucket.NewPlan(target, source, rebucket.Log)
	counts, out := []uint64{1, 2, 3, 4, 5}, make([]uint64, 5)
	require.Zero(t, testing.AllocsPerRun(10, func() { plan.Apply(out, counts) }))
}
