package rebucket_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// rationalAtMost returns the cumulative count at b in exact arithmetic. The observations of a bucket are uniformly
// distributed between its bounds.
func (e exponential) rationalAtMost(b float64) *big.Rat {
	sum := new(big.Rat)
	add := func(lo, hi float64, n uint64) {
		part := new(big.Rat).SetUint64(n)
		switch {
		case b <= lo:
			return
		case b < hi:
			width := new(big.Rat).Sub(rat(hi), rat(lo))
			part.Mul(part, new(big.Rat).Quo(new(big.Rat).Sub(rat(b), rat(lo)), width))
		}
		sum.Add(sum, part)
	}
	for i, n := range e.negative.Counts {
		lo, hi := e.span(e.negative.Offset + int32(i))
		add(-hi, -lo, n)
	}
	switch {
	case e.threshold > 0:
		if e.negative.Total() == 0 {
			add(0, e.threshold, e.zero)
		} else {
			add(-e.threshold, e.threshold, e.zero)
		}
	case b >= 0:
		sum.Add(sum, new(big.Rat).SetUint64(e.zero))
	}
	for i, n := range e.positive.Counts {
		lo, hi := e.span(e.positive.Offset + int32(i))
		add(lo, hi, n)
	}
	return sum
}

// span returns the magnitudes at the ends of a bucket. A bucket that contains the zero threshold begins there.
func (e exponential) span(index int32) (lo, hi float64) {
	lo, hi = expo.LowerBound(e.scale, index), min(expo.UpperBound(e.scale, index), math.MaxFloat64)
	if lo < e.threshold && e.threshold < hi {
		lo = e.threshold
	}
	return lo, hi
}

func rat(f float64) *big.Rat { return new(big.Rat).SetFloat64(f) }

// TestExponentialLinearSplitAgainstRationals compares every cumulative count of Apply and Fit with exact arithmetic. Apply
// rounds shares down at each cut of a bucket's tree; Fit rounds once.
func TestExponentialLinearSplitAgainstRationals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	compared := 0
	for range 3000 {
		e := randomExponential(rng)
		for _, counts := range [][]uint64{e.positive.Counts, e.negative.Counts} {
			for i := range counts {
				counts[i] = rng.Uint64N(1 << 40)
			}
		}
		e.zero = rng.Uint64N(1 << 40)
		target := e.bounds(rng)
		p := e.plan(target, rebucket.Linear)
		fixed, _ := e.apply(p)
		fitted := make([]uint64, p.buckets)
		p.Fit(fitted, e.zero, e.positive, e.negative, rebucket.Unknown)
		f, g := cumulative(fixed), cumulative(fitted)
		for i, b := range target {
			want, _ := e.rationalAtMost(b).Float64()
			require.InDelta(t, want, float64(f[i]), 10, "%+v bound %v", e, b)
			require.InDelta(t, want, float64(g[i]), 1, "%+v bound %v", e, b)
			compared++
		}
	}
	require.Greater(t, compared, 25000)
}
