package tracker

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Readers call Known without a lock while the tracker grows, changes to Bloom filters, is copied and rotates. Known is never
// true for a series that was not admitted. A series for which it is true passes a check.
func TestKnownWhileOthersChange(t *testing.T) {
	for name, exactUpTo := range map[string]int{"exact": 1 << 20, "bloom": 0, "both": 500} {
		t.Run(name, func(t *testing.T) {
			const limit, readers, steps = 3_000, 3, 60_000
			cfg := config(exactUpTo)
			cfg.FalsePositiveRate = 1e-9
			tr := open(t, limit, cfg)
			var generation atomic.Int64
			var done atomic.Bool
			var wg sync.WaitGroup
			known := make([]int, readers)
			for r := range readers {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(r), 3))
					for !done.Load() {
						fp := rng.Uint64N(2 * limit)
						if tr.Known(spread(fp), generation.Load()) {
							known[r]++
							if fp >= limit {
								t.Errorf("%d was never let in", fp)
								return
							}
						}
					}
				})
			}
			rng := rand.New(rand.NewPCG(9, 3))
			for i := range steps {
				switch {
				case i%(steps/20) == 0:
					tr.Advance(generation.Add(1))
				case i%(steps/10) == steps/15:
					tr.Image()
				}
				fp := spread(rng.Uint64N(limit))
				if rng.IntN(2) == 0 && tr.Known(fp, generation.Load()) {
					require.Equal(t, Known, tr.Check(fp))
				}
				require.True(t, offer(tr, fp))
				require.True(t, tr.Known(fp, generation.Load()))
				require.False(t, tr.Known(fp, generation.Load()+1))
			}
			done.Store(true)
			wg.Wait()
			for r := range readers {
				require.Positive(t, known[r])
			}
		})
	}
}
