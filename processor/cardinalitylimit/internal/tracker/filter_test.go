package tracker

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// In a small filter, two fingerprints may have the same first bit and the same step. Then they share all bits, whatever the
// number of hashes. The configured rate is true for small keys, too.
func TestFalsePositiveRateOfSmallFilters(t *testing.T) {
	const rate, strangers = 1e-4, 200_000
	for _, capacity := range []int{1, 2, 5, 10, 50, 100, 500, 2_000} {
		rng := rand.New(rand.NewPCG(1, uint64(capacity)))
		b, ok := newBlooms(capacity, 2, rate, budget.New(1<<30))
		require.True(t, ok)
		positives, trials := 0, 0
		for range 5 {
			b.filters[0] = generationFilter{filter: newFilter(b.parameters())}
			for range capacity {
				b.add(rng.Uint64(), false)
			}
			for range strangers {
				trials++
				if b.lookup(rng.Uint64()) != absent {
					positives++
				}
			}
		}
		got := float64(positives) / float64(trials)
		t.Logf("%d places: %.1e", capacity, got)
		require.LessOrEqual(t, got, rate, "%d places", capacity)
	}
}
