package expo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

func TestRestarted(t *testing.T) {
	before := &expo.Histogram{
		Scale: 1, ZeroThreshold: 0.25, ZeroCount: 3,
		Positive: expo.Buckets{Offset: 0, Counts: []uint64{0, 5, 0}}, // 5 in (2^0.5, 2]
		Negative: expo.Buckets{Offset: 6, Counts: []uint64{7}},       // 7 in [-2^3.5, -8)
	}
	for name, tt := range map[string]struct {
		scale     int32
		threshold float64
		want      bool
	}{
		"nothing changes":                    {1, 0.25, false},
		"scale falls":                        {0, 0.25, false},
		"scale rises":                        {2, 0.25, true},
		"threshold falls":                    {1, 0.125, true},
		"threshold vanishes":                 {1, 0, true},
		"threshold rises to a bound":         {1, 2, false},
		"into an empty bucket":               {1, 1.1, false},
		"into a populated bucket":            {1, 1.5, true},
		"into a populated negative bucket":   {1, 9, true},
		"to a bound of somebody's formula":   {1, math.Exp(0.5 * math.Ln2), false},
		"beyond everything":                  {1, 1e300, false},
		"to a bound, and the scale falls":    {-3, 2, false},
		"into a bucket, and the scale too":   {-3, 1.5, true},
		"threshold falls, so does the scale": {0, 0, true},
	} {
		now := clone(before)
		now.Scale, now.ZeroThreshold = tt.scale, tt.threshold
		require.Equal(t, tt.want, expo.Restarted(before, now), name)
	}
}

// A histogram that records, merges and is reduced never looks restarted.
func TestRestartedIsNotForRecording(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 12))
	for range 300 {
		h := expo.New(2 + rng.IntN(40))
		for range 50 {
			before := clone(h)
			switch rng.IntN(8) {
			case 0:
				h.RaiseZero(math.Exp(rng.NormFloat64()))
			case 1:
				o := expo.New(20)
				o.RaiseZero(math.Exp(rng.NormFloat64() - 3))
				o.Record(math.Exp(rng.NormFloat64()), 1)
				h.Merge(o)
			case 2:
				h.ToScale(rng.Int32N(20))
			default:
				h.Record(rng.NormFloat64()*10, 1+rng.Uint64N(5))
			}
			require.False(t, expo.Restarted(before, h), "%+v\n%+v", before, h)
		}
	}
}
