package quantile

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

var quantiles = []float64{0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.95, 0.999, 1}

// expanded repeats each value by its weight, as in the definition.
func expanded(samples Samples) (values []float64) {
	for _, s := range samples {
		for range int(s.Weight) {
			values = append(values, s.Value)
		}
	}
	slices.Sort(values)
	return values
}

func oracle(values []float64, q float64) float64 {
	for i, v := range values {
		if float64(i+1) >= q*float64(len(values)) {
			return v
		}
	}
	return math.NaN()
}

func TestQuantilesOfSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		samples := make(Samples, 1+rng.IntN(50))
		for i := range samples {
			samples[i] = Sample{float64(rng.IntN(40) - 20), float64(1 + rng.IntN(9))}
		}
		values := expanded(samples)
		assert.InDelta(t, len(values), samples.Accumulate(), 0)
		for _, q := range quantiles {
			require.InDelta(t, oracle(values, q), samples.At(q), 0, "%v of %v", q, values)
		}
	}
}

// Most percentages have no exact float64. The 99.9 % quantile of 1,000 values must be the 999th, not the next one.
func TestQuantilesOfPercentages(t *testing.T) {
	samples := make(Samples, 1024)
	for i := range samples {
		samples[i] = Sample{float64(i + 1), float64(i + 1)} // accumulated
	}
	for permille := range 1001 {
		q := float64(permille) / 10 / 100
		for n := 1; n <= len(samples); n++ {
			want := max((permille*n+999)/1000, 1) // the rank, rounded up
			if got := samples[:n].At(q); got != float64(want) {
				require.InDelta(t, want, got, 0, "%d/10 %% of %d", permille, n)
			}
		}
	}
	h := expo.New(2)
	h.Record(1, 999)
	h.Record(1024, 1)
	assert.Less(t, FromHistogram(h, 99.9/100), 2.0)
}

// Sums of weights without an exact float64 are rounded. The quantile for 1 is the last value nevertheless.
func TestQuantileOfFractionalWeights(t *testing.T) {
	samples := Samples{}
	for i := range 1000 {
		samples = append(samples, Sample{float64(i), 1 / 0.3})
	}
	assert.InDelta(t, 1000/0.3, samples.Accumulate(), 1e-6)
	assert.InDelta(t, 0, samples.At(0), 0)
	assert.InDelta(t, 499, samples.At(0.5), 1)
	assert.InDelta(t, 999, samples.At(1), 0)
	assert.Zero(t, Samples{}.Accumulate())
}

func TestQuantilesOfHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, draw := range []func() float64{
		func() float64 { return 1 + rng.Float64()*32000 }, // within 2^15
		func() float64 { return math.Exp(rng.NormFloat64()) },
		func() float64 { return -math.Exp(rng.NormFloat64()) },
		func() float64 { return rng.NormFloat64() * float64(rng.IntN(2)) }, // half of them 0
	} {
		h, values := expo.New(2048), make([]float64, 20_000)
		for i := range values {
			values[i] = draw()
			h.Record(values[i], 1)
		}
		slices.Sort(values)
		width := math.Exp2(math.Exp2(-float64(h.Scale+1))) - 1
		for _, q := range quantiles {
			want := oracle(values, q)
			require.InDelta(t, want, FromHistogram(h, q), math.Abs(want)*width*(1+1e-9), "%v at scale %d", q, h.Scale)
		}
	}
}

func TestQuantilesOfExtremes(t *testing.T) {
	h := expo.New(2)
	for _, v := range []float64{math.SmallestNonzeroFloat64, 1, math.MaxFloat64} {
		h.Record(v, 1)
	}
	for _, q := range quantiles {
		got := FromHistogram(h, q)
		assert.True(t, got >= h.Min && got <= h.Max, "%v: %v", q, got)
	}
}

func TestAllocsAccumulate(t *testing.T) {
	samples := make(Samples, 1024)
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		for i := range samples {
			samples[i] = Sample{float64(i * 7919 % 1024), 1}
		}
		samples.Accumulate()
	}))
}
