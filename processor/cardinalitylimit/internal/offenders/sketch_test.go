package offenders

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The error is that of the paper at every size; at small ones two hashes that share a register make it one.
func TestEstimate(t *testing.T) {
	const sketches = 50
	for _, p := range []uint8{labelPrecision, seriesPrecision, limitPrecision} {
		rng := rand.New(rand.NewPCG(1, uint64(p)))
		standard := 1.04 / math.Sqrt(float64(int(1)<<p))
		squares := make(map[int]float64)
		for range sketches {
			s := newSketch(p)
			for n, next := 1, 1; n <= 200_000; n++ {
				s.add(rng.Uint64())
				if n == next {
					off := estimate(s) - float64(n)
					require.LessOrEqualf(t, math.Abs(off), 5*standard*float64(n)+1.5, "p=%d n=%d", p, n)
					squares[n] += off * off / float64(n) / float64(n)
					next *= 3
				}
			}
		}
		for n, sum := range squares {
			if n < 100 {
				continue
			}
			require.LessOrEqualf(t, math.Sqrt(sum/sketches), 1.3*standard, "p=%d n=%d", p, n)
		}
	}
}

// What has been seen does not count again, in either of two sketches.
func TestEstimateOfTheUnion(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	a, b := newSketch(limitPrecision), newSketch(limitPrecision)
	for range 10_000 {
		h := rng.Uint64()
		a.add(h)
		b.add(h)
		require.False(t, a.add(h))
	}
	require.InEpsilon(t, 10_000, estimate(a, b), 0.07)
	for range 10_000 {
		b.add(rng.Uint64())
	}
	require.InEpsilon(t, 20_000, estimate(a, b), 0.07)
	require.InEpsilon(t, 10_000, estimate(a), 0.07)
	b.reset()
	require.Zero(t, math.Round(estimate(b)))
}

// The ends of the range of hashes meet the first and the last register.
func TestExtremeHashes(t *testing.T) {
	s := newSketch(labelPrecision)
	for _, h := range []uint64{1, 0, 1<<64 - 1, 1 << 63} {
		require.True(t, s.add(h))
		require.False(t, s.add(h))
	}
	require.InDelta(t, 3, estimate(s), 1.1) // 0 and 1 share a register
}
