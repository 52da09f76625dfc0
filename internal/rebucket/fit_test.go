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

// observed is a delta point with known observations.
type observed struct {
	source, target []float64
	values         []float64 // sorted
	counts         []uint64
}

// randomObserved draws up to 256 values at, between and beyond random bounds. Many of them are equal.
func randomObserved(rng *rand.Rand) observed {
	o := observed{source: randomBounds(rng)}
	o.target = randomBounds(rng, o.source...)
	o.counts = make([]uint64, len(o.source)+1)
	for range rng.IntN(1 << rng.IntN(9)) {
		o.values = append(o.values, randomNear(rng, o.target[rng.IntN(len(o.target))], o.source[rng.IntN(len(o.source))]))
	}
	slices.Sort(o.values)
	for _, v := range o.values {
		i, _ := slices.BinarySearch(o.source, v)
		o.counts[i]++
	}
	return o
}

func randomNear(rng *rand.Rand, a, b float64) float64 {
	switch rng.IntN(4) {
	case 0:
		return a
	case 1:
		return b
	case 2:
		return a + rng.Float64()*(b-a)
	default:
		return a * math.Exp(rng.NormFloat64())
	}
}

// extent returns the range of the values. One end or both may be unknown.
func (o observed) extent(rng *rand.Rand) rebucket.Range {
	r := rebucket.Unknown
	if len(o.values) == 0 {
		return r
	}
	if rng.IntN(3) > 0 {
		r.Min = o.values[0]
	}
	if rng.IntN(3) > 0 {
		r.Max = o.values[len(o.values)-1]
	}
	return r
}

// atMost returns the number of values at or below b.
func (o observed) atMost(b float64) uint64 {
	n, _ := slices.BinarySearchFunc(o.values, b, func(v, b float64) int {
		if v <= b {
			return -1
		}
		return 1
	})
	return uint64(n)
}

func fit(o observed, split rebucket.Split, r rebucket.Range) ([]uint64, rebucket.Tally) {
	out := make([]uint64, len(o.target)+1)
	tally := rebucket.NewPlan(o.target, o.source, split).Fit(out, o.counts, r)
	return out, tally
}

// Compared with the observations themselves, cumulative counts are exact at shared bounds. At other bounds the error is
// at most that of the tally.
func TestFitAgainstObservations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	shared, outside := 0, 0
	for range 20000 {
		o := randomObserved(rng)
		r, split := o.extent(rng), splits[rng.IntN(len(splits))]
		out, tally := fit(o, split, r)
		require.Equal(t, uint64(len(o.values)), sum(out))
		for i, got := range cumulative(out)[:len(o.target)] {
			b, want := o.target[i], o.atMost(o.target[i])
			_, exact := slices.BinarySearch(o.source, b)
			if exact {
				shared++
				require.Equal(t, want, got, "%+v %+v bound %v", o, r, b)
			}
			ranged := !math.IsInf(r.Min, 0) && split != rebucket.Upper && split != rebucket.Midpoint
			if b <= 0 && o.source[0] > 0 && !ranged {
				continue // by assumption there are no observations
			}
			off := max(want, got) - min(want, got)
			require.LessOrEqual(t, off, max(tally.Straddled, tally.Open), "%+v %+v bound %v", o, r, b)
			outside += len(o.values)
		}
	}
	require.Greater(t, shared, 10000)
	require.Greater(t, outside, 10000)
}

// If both ends of the range are known, no observation is placed outside it, and the rule for open ends does not apply.
func TestFitStaysWithinTheRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	spreading := []rebucket.Split{rebucket.Log, rebucket.Linear, rebucket.PCHIP}
	for range 20000 {
		o := randomObserved(rng)
		if len(o.values) == 0 {
			continue
		}
		low, high := o.values[0], o.values[len(o.values)-1]
		out, tally := fit(o, spreading[rng.IntN(len(spreading))], rebucket.Range{Min: low, Max: high})
		require.Zero(t, tally.Open)
		for i, got := range cumulative(out)[:len(o.target)] {
			switch b := o.target[i]; {
			case b < low:
				require.Zero(t, got)
			case b >= high:
				require.Equal(t, uint64(len(o.values)), got)
			default:
				require.Positive(t, got, "%+v bound %v", o, b)
				require.Less(t, got, uint64(len(o.values)), "%+v bound %v", o, b)
			}
		}
	}
}

// randomRange returns a range that need not fit the point. Its ends are often bounds.
func randomRange(rng *rand.Rand, bounds ...float64) rebucket.Range {
	special := append([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64}, bounds...)
	end := func() float64 {
		if rng.IntN(2) == 0 {
			return special[rng.IntN(len(special))]
		}
		return math.Exp(rng.NormFloat64()*5) * float64(1-2*rng.IntN(2))
	}
	return rebucket.Range{Min: end(), Max: end()}
}

// For any range, and for counts up to near 2^64, no observation is lost, and the cumulative count at a bound is within
// the bucket that the bound cuts.
func TestFitWithstandsAnyRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 30000 {
		source := randomBounds(rng)
		o := observed{source: source, target: randomBounds(rng, source...), counts: randomCounts(rng, len(source)+1)}
		r := randomRange(rng, source...)
		out, _ := fit(o, splits[rng.IntN(len(splits))], r)
		require.Equal(t, sum(o.counts), sum(out))
		before := cumulative(o.counts)
		for j, got := range cumulative(out)[:len(o.target)] {
			i, shared := slices.BinarySearch(source, o.target[j])
			var lo uint64
			switch {
			case shared:
				lo = before[i]
			case i > 0:
				lo = before[i-1]
			}
			if got < lo || got > before[i] {
				t.Fatalf("%d at bound %v, must be from %d to %d: %+v %+v", got, o.target[j], lo, before[i], o, r)
			}
		}
	}
}

func TestFitIsIdempotent(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 10000 {
		o := randomObserved(rng)
		r, split := o.extent(rng), splits[rng.IntN(len(splits))]
		once, _ := fit(o, split, r)
		twice, tally := fit(observed{source: o.target, target: o.target, counts: once}, split, r)
		require.Equal(t, once, twice)
		require.Zero(t, tally)
	}
}

// Converting the mirror image of a point gives the mirror image of the converted point. They differ by rounding and by
// observations that are equal to a bound, which belong to the bucket below it. Bounds that are all above zero have no
// mirror image, because their lowest bucket begins at zero.
func TestFitMirrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	negated := func(values []float64) []float64 {
		to := make([]float64, 0, len(values))
		for _, v := range slices.Backward(values) {
			to = append(to, -v)
		}
		return to
	}
	for range 10000 {
		o := randomObserved(rng)
		if o.source[0] > 0 || o.source[len(o.source)-1] < 0 {
			continue
		}
		o.counts = randomCounts(rng, len(o.counts))
		for i := range o.counts {
			o.counts[i] >>= 24
		}
		m := observed{source: negated(o.source), target: negated(o.target), counts: slices.Clone(o.counts)}
		slices.Reverse(m.counts)
		for _, split := range []rebucket.Split{rebucket.Log, rebucket.Linear, rebucket.PCHIP} {
			out, _ := fit(o, split, rebucket.Unknown)
			image, _ := fit(m, split, rebucket.Unknown)
			slices.Reverse(image)
			f, g := cumulative(out), cumulative(image)
			for i := range f {
				require.InDelta(t, float64(f[i]), float64(g[i]), 2+1e-12*float64(sum(o.counts)), "%v %+v", split, o)
			}
		}
	}
}

// exponentialOf counts the values in exponential buckets.
func exponentialOf(values []float64, size int, threshold float64) *expo.Histogram {
	h := expo.New(size)
	h.ZeroThreshold = threshold
	for _, v := range values {
		h.Record(v, 1)
	}
	return h
}

// TestExponentialFitAgainstObservations is TestFitAgainstObservations for exponential buckets of both signs. By OTLP a
// value on the bound of a negative bucket belongs to the bucket nearer zero.
func TestExponentialFitAgainstObservations(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for range 10000 {
		o := randomObserved(rng)
		var threshold float64
		if rng.IntN(2) == 0 {
			threshold = math.Exp(rng.NormFloat64() * 2)
		}
		h := exponentialOf(o.values, 2+rng.IntN(160), threshold)
		r := o.extent(rng)
		p := rebucket.NewExponentialPlan(o.target, h.Scale, h.ZeroThreshold, rebucket.ZeroSideOf(h.Negative), splits[rng.IntN(len(splits))])
		out := make([]uint64, len(o.target)+1)
		tally := p.Fit(out, h.ZeroCount, h.Positive, h.Negative, r)
		require.Equal(t, uint64(len(o.values)), sum(out))
		e := exponential{scale: h.Scale, threshold: h.ZeroThreshold, zero: h.ZeroCount, positive: h.Positive, negative: h.Negative}
		e.zeroBoth = true // the minimum may be in the zero bucket, below zero
		for i, got := range cumulative(out)[:len(o.target)] {
			b := o.target[i]
			lo, hi := e.atMost(b)
			require.LessOrEqual(t, lo, got, "%+v %+v bound %v", o, r, b)
			require.LessOrEqual(t, got, hi, "%+v %+v bound %v", o, r, b)
			if b == 0 || slices.Contains(o.values, b) || b < 0 && h.Negative.Total() == 0 {
				continue
			}
			want := o.atMost(b)
			off := max(want, got) - min(want, got)
			require.LessOrEqual(t, off, tally.Straddled, "%+v %+v %+v bound %v", o, r, h, b)
		}
	}
}

// The counts go up to near 2^64. Offset and range are arbitrary.
func TestExponentialFitWithstandsAnyRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 10000 {
		e := randomExponential(rng)
		e.zeroBoth = true
		target := e.bounds(rng)
		p := e.plan(target, splits[rng.IntN(len(splits))])
		out := make([]uint64, p.buckets)
		p.Fit(out, e.zero, e.positive, e.negative, randomRange(rng, target...))
		require.Equal(t, e.total(), sum(out))
		for i, got := range cumulative(out)[:len(target)] {
			if lo, hi := e.atMost(target[i]); got < lo || got > hi {
				t.Fatalf("%d at bound %v, must be from %d to %d: %+v", got, target[i], lo, hi, e)
			}
		}
	}
}

func TestFitTable(t *testing.T) {
	for _, tt := range []struct {
		name           string
		split          rebucket.Split
		source, target []float64
		counts         []uint64
		r              rebucket.Range
		want           []uint64
	}{
		{"an open end ends at the maximum", rebucket.Linear, []float64{10}, []float64{15.5, 20.5}, []uint64{0, 102}, rebucket.Range{Min: 10.5, Max: 30.5}, []uint64{26, 25, 51}},
		{"an open end ends at the minimum", rebucket.Log, []float64{100}, []float64{50.5}, []uint64{101, 0}, rebucket.Range{Min: 1, Max: math.NaN()}, []uint64{51, 50}},
		{"without one it is the highest bucket", rebucket.Log, []float64{100}, []float64{10, 1000}, []uint64{100, 7}, rebucket.Unknown, []uint64{10, 90, 7}},
		{"and the lowest below zero", rebucket.Log, []float64{-5}, []float64{-20, -10}, []uint64{100, 7}, rebucket.Unknown, []uint64{100, 0, 7}},
		{"a negative minimum below bounds above zero", rebucket.Linear, []float64{10}, []float64{-5, 0}, []uint64{101, 0}, rebucket.Range{Min: -10, Max: math.Inf(1)}, []uint64{26, 25, 50}},
		{"a negative maximum there", rebucket.Linear, []float64{10}, []float64{-5, -3, 0}, []uint64{100, 0}, rebucket.Range{Min: math.NaN(), Max: -3}, []uint64{0, 100, 0, 0}},
		{"values that are all the same", rebucket.PCHIP, []float64{0, 50}, []float64{41, 42, 43}, []uint64{0, 100, 0}, rebucket.Range{Min: 42, Max: 42}, []uint64{0, 100, 0, 0}},
		{"two values", rebucket.PCHIP, []float64{0, 50}, []float64{7, 8, 40}, []uint64{0, 2, 0}, rebucket.Range{Min: 7.5, Max: 41}, []uint64{0, 1, 0, 1}},
		{"a minimum from another bucket", rebucket.Log, []float64{1, 100}, []float64{10}, []uint64{0, 100, 0}, rebucket.Range{Min: 0.5, Max: 500}, []uint64{50, 50}},
		{"minimum above maximum", rebucket.Log, []float64{1, 100}, []float64{10}, []uint64{0, 100, 0}, rebucket.Range{Min: 50, Max: 20}, []uint64{50, 50}},
		{"one value that cannot be two", rebucket.Log, []float64{1, 100}, []float64{9}, []uint64{0, 1, 0}, rebucket.Range{Min: 2, Max: 20}, []uint64{0, 1}},
		{"upper is the bucket's bound", rebucket.Upper, []float64{1, 100}, []float64{50}, []uint64{0, 100, 0}, rebucket.Range{Min: 2, Max: 20}, []uint64{0, 100}},
		{"equal densities are straight", rebucket.PCHIP, []float64{1, 10, 100, 1000}, []float64{20, 50}, []uint64{0, 1000, 1000, 1000, 0}, rebucket.Unknown, []uint64{1301, 398, 1301}},
		{"the example of conversion.md", rebucket.PCHIP, []float64{1, 10, 100, 1000}, []float64{10 * math.Sqrt(10)}, []uint64{0, 4000, 1000, 0, 0}, rebucket.Unknown, []uint64{4700, 300}},
		{"towards the denser neighbour", rebucket.PCHIP, []float64{1, 10, 100, 1000}, []float64{20, 50}, []uint64{0, 4000, 1000, 0, 0}, rebucket.Unknown, []uint64{4453, 431, 116}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := fit(observed{source: tt.source, target: tt.target, counts: tt.counts}, tt.split, tt.r)
			require.Equal(t, tt.want, got)
		})
	}
}

// A range that contradicts the counts is not used.
func TestExponentialFitPrefersCountsToTheRange(t *testing.T) {
	target := []float64{-3, -2, 0, 2, 3}
	one := func(offset int32, n uint64) expo.Buckets { return expo.Buckets{Offset: offset, Counts: []uint64{n}} }
	p := rebucket.NewExponentialPlan(target, 0, 0.5, rebucket.ZeroBoth, rebucket.Log)
	for _, tt := range []struct {
		name               string
		zero               uint64
		positive, negative expo.Buckets
		r                  rebucket.Range
		want               []uint64 // 585 is 1000 * ln(3/2) / ln(2)
	}{
		{"minimum above a negative bucket", 0, one(1, 1000), one(0, 7), rebucket.Range{Min: 3.5, Max: 4}, []uint64{0, 0, 7, 0, 584, 416}},
		{"minimum above the zero bucket", 7, one(1, 1000), one(0, 0), rebucket.Range{Min: 3.5, Max: 4}, []uint64{0, 0, 4, 3, 584, 416}},
		{"maximum below a positive bucket", 0, one(0, 7), one(1, 1000), rebucket.Range{Min: -4, Max: -3.5}, []uint64{416, 584, 0, 7, 0, 0}},
		{"maximum below the zero bucket", 7, one(0, 0), one(1, 1000), rebucket.Range{Min: -4, Max: -3.5}, []uint64{416, 584, 4, 3, 0, 0}},
		{"minimum in the zero bucket above a negative one", 1000, one(0, 0), one(0, 7), rebucket.Range{Min: 0.3, Max: 0.5}, []uint64{0, 0, 507, 500, 0, 0}},
		{"maximum in the zero bucket below a positive one", 1000, one(0, 7), one(0, 0), rebucket.Range{Min: -0.4, Max: -0.3}, []uint64{0, 0, 445, 562, 0, 0}},
		{"one that fits", 0, one(1, 1000), one(0, 0), rebucket.Range{Min: 3.5, Max: 4}, []uint64{0, 0, 0, 0, 0, 1000}},
		{"mirrored", 0, one(0, 0), one(1, 1000), rebucket.Range{Min: -4, Max: -3.5}, []uint64{1000, 0, 0, 0, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make([]uint64, len(target)+1)
			p.Fit(got, tt.zero, tt.positive, tt.negative, tt.r)
			require.Equal(t, tt.want, got)
		})
	}
}

// A maximum below zero places the observations of a zero bucket that is otherwise assumed to be above zero.
func TestFitOfZeroBucketBelowZero(t *testing.T) {
	p := rebucket.NewExponentialPlan([]float64{-0.4, 0}, 0, 0.5, rebucket.ZeroPositive, rebucket.Linear)
	got := make([]uint64, 3)
	p.Fit(got, 101, expo.Buckets{}, expo.Buckets{}, rebucket.Range{Min: math.NaN(), Max: -0.3})
	require.Equal(t, []uint64{50, 51, 0}, got)
	p.Fit(got, 101, expo.Buckets{}, expo.Buckets{}, rebucket.Range{Min: -0.5, Max: math.NaN()})
	require.Equal(t, []uint64{0, 0, 101}, got, "a minimum that the zero bucket does not contain")
	p.Fit(got, 101, expo.Buckets{}, expo.Buckets{}, rebucket.Unknown)
	require.Equal(t, []uint64{0, 0, 101}, got)
}

func TestAllocsFit(t *testing.T) {
	source, target := []float64{1, 2, 4, 8}, []float64{3, 5, 6, 7, 12}
	plan := rebucket.NewPlan(target, source, rebucket.PCHIP)
	counts, out := []uint64{1, 2, 3, 4, 5}, make([]uint64, 6)
	require.Zero(t, testing.AllocsPerRun(10, func() { plan.Fit(out, counts, rebucket.Range{Min: 0.5, Max: 15}) }))
}
