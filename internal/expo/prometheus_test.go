package expo_test

import (
	"math/rand/v2"
	"testing"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// TestDownscaleAgainstPrometheus compares Downscale with Prometheus' ReduceResolution. Prometheus' schema is the scale,
// and its bucket i+1 is bucket i here.
func TestDownscaleAgainstPrometheus(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 10000 {
		from := rng.Int32N(12) - 3 // schemas are -4 to 8
		to := -4 + rng.Int32N(from+4)
		b := expo.Buckets{Offset: rng.Int32N(401) - 200, Counts: make([]uint64, rng.IntN(100)+1)}
		h := &histogram.FloatHistogram{
			Schema:        from,
			PositiveSpans: []histogram.Span{{Offset: b.Offset + 1, Length: uint32(len(b.Counts))}},
		}
		for i := range b.Counts {
			if rng.IntN(3) > 0 {
				b.Counts[i] = rng.Uint64N(1 << 40) // floats: sums stay below 2^53
			}
			h.PositiveBuckets = append(h.PositiveBuckets, float64(b.Counts[i]))
		}
		require.NoError(t, h.ReduceResolution(to))
		b.Downscale(from - to)

		want := map[int32]uint64{}
		for it := h.PositiveBucketIterator(); it.Next(); {
			if p := it.At(); p.Count > 0 {
				want[p.Index-1] = uint64(p.Count)
			}
		}
		require.Equal(t, want, occupied(b))
	}
}
