package hll

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The error is the paper's at every size. A small number is off by one if two hashes share a register.
func TestEstimate(t *testing.T) {
	const sketches = 50
	for _, p := range []uint8{10, 11, 12} {
		rng := rand.New(rand.NewPCG(1, uint64(p)))
		standard := 1.04 / math.Sqrt(float64(int(1)<<p))
		squares := make(map[int]float64)
		for range sketches {
			s := New(p)
			for n, next := 1, 1; n <= 200_000; n++ {
				s.Add(rng.Uint64())
				if n == next {
					off := Estimate(s) - float64(n)
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

// A hash that was added before does not count again, neither in the same sketch nor in another one of the union.
func TestEstimateOfTheUnion(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	a, b := New(12), New(12)
	for range 10_000 {
		h := rng.Uint64()
		a.Add(h)
		b.Add(h)
		require.False(t, a.Add(h))
	}
	require.InEpsilon(t, 10_000, Estimate(a, b), 0.07)
	for range 10_000 {
		b.Add(rng.Uint64())
	}
	require.InEpsilon(t, 20_000, Estimate(a, b), 0.07)
	require.InEpsilon(t, 10_000, Estimate(a), 0.07)
	b.Reset()
	require.Zero(t, math.Round(Estimate(b)))
}

// The smallest and the largest hash belong to the first and the last register.
func TestExtremeHashes(t *testing.T) {
	s := New(10)
	for _, h := range []uint64{1, 0, 1<<64 - 1, 1 << 63} {
		require.True(t, s.Add(h))
		require.False(t, s.Add(h))
	}
	require.InDelta(t, 3, Estimate(s), 1.1) // 0 and 1 share a register
}

func TestMergeIsTheUnion(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	a, b, both := New(12), New(12), New(12)
	for i := range 10_000 {
		h := rng.Uint64()
		both.Add(h)
		if i%2 == 0 {
			a.Add(h)
		} else {
			b.Add(h)
		}
	}
	a.Merge(b)
	require.InDelta(t, Estimate(both), Estimate(a), 0)
	require.InDelta(t, Estimate(both), Estimate(a, b), 0)
}

func TestManyGoroutinesAddAndMerge(t *testing.T) {
	s, all := New(10), New(10)
	var running sync.WaitGroup
	for g := range uint64(4) {
		rng := rand.New(rand.NewPCG(5, g))
		hashes := make([]uint64, 10_000)
		own := New(10)
		for i := range hashes {
			hashes[i] = rng.Uint64()
			all.Add(hashes[i])
			if g == 0 {
				own.Add(hashes[i])
			}
		}
		running.Go(func() {
			if g == 0 {
				s.Merge(own)
				return
			}
			for _, h := range hashes {
				s.Add(h)
			}
		})
	}
	running.Wait()
	require.InDelta(t, Estimate(all), Estimate(s), 0)
}
