package tracker

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is estimated to have been let in without a place is, within a fifth, what was:
// all that passed in the remembered generations, less those that hold a place. Of
// strangers that come once, that come again and again, and that stop coming.
func TestLeakedIsEstimated(t *testing.T) {
	const limit, epochs, rate = 20_000, 8, 0.02
	for name, c := range map[string]struct {
		once, again int // strangers a generation
		until       int64
	}{
		"once":          {100_000, 0, epochs},
		"again":         {0, 100_000, epochs},
		"once, again":   {50_000, 50_000, epochs},
		"until 3":       {50_000, 50_000, 3},
		"while filling": {0, 0, 0},
	} {
		for _, generations := range []int{2, 5} {
			t.Run(fmt.Sprintf("%s/generations=%d", name, generations), func(t *testing.T) {
				cfg := config(1_000)
				cfg.FalsePositiveRate, cfg.Generations = rate, generations
				tr := open(t, limit, cfg)
				rng, passed := rand.New(rand.NewPCG(3, uint64(generations))), map[uint64]int64{}
				pass := func(fp uint64, epoch int64) {
					if offer(tr, fp) {
						passed[fp] = epoch
					}
				}
				for epoch := range int64(epochs) {
					tr.Advance(epoch)
					for fp := range uint64(limit + limit/50) {
						pass(spread(fp), epoch)
					}
					if epoch < c.until {
						for range c.once {
							pass(rng.Uint64(), epoch)
						}
						for fp := range uint64(c.again) {
							pass(spread(1<<40+fp), epoch)
						}
					}
					for fp, at := range passed {
						if epoch-at >= int64(generations) {
							delete(passed, fp)
						}
					}
					truth := len(passed) - tr.Size()
					t.Logf("generation %d: %d leaked, estimated %.0f", epoch, truth, tr.Leaked())
					require.InDelta(t, truth, tr.Leaked(), 0.2*float64(truth)+60)
				}
			})
		}
	}
}

func TestSampleCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 100, 512, 513, 10_000, 3_000_000} {
		s, o := newSample(maxSample), newSample(maxSample)
		for i := range n {
			fp := rng.Uint64()
			s.add(fp)
			s.add(fp)
			if i%4 != 0 {
				o.add(fp)
			}
		}
		band := 0.15 * float64(n)
		if n <= maxSample {
			band = 0
		}
		require.InDelta(t, n, s.count(), band)
		require.InDelta(t, (n+3)/4, s.without(o), band)
		require.Zero(t, o.without(s))
		require.Equal(t, maxSample, cap(s.kept))
		s.reset()
		require.Zero(t, s.count())
	}
}
