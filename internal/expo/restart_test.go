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
		"to a bound by another formula":      {1, math.Exp(0.5 * math.Ln2), false},
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

// At scale 0 bucket 1 is (2, 4]; at the lowest scale bucket 0 is everything above 1.
func TestRestartedBySingleBucket(t *testing.T) {
	at := func(scale int32, threshold float64, indexes ...int32) *expo.Histogram {
		h := expo.New(160)
		h.Scale, h.ZeroThreshold = scale, threshold
		for _, i := range indexes {
			h.Positive = expo.Buckets{Offset: i, Counts: []uint64{1}}
		}
		return h
	}
	for name, tt := range map[string]struct {
		now, before *expo.Histogram
		want        bool
	}{
		"threshold appears":              {at(0, 3), at(0, 0), false},
		"threshold into a bucket":        {at(0, 3), at(0, 1, 1), true},
		"threshold beside a bucket":      {at(0, 3), at(0, 1, 2), false},
		"threshold to its upper bound":   {at(0, 4), at(0, 1, 1), false},
		"threshold to its lower bound":   {at(0, 2), at(0, 1, 1), false},
		"lowest scale":                   {at(math.MinInt32, 3), at(math.MinInt32, 1, 0), true},
		"lowest scale, the other bucket": {at(math.MinInt32, 0.5), at(math.MinInt32, 0, 0), false},
	} {
		require.Equal(t, tt.want, expo.Restarted(tt.before, tt.now), name)
		tt.before.Negative, tt.before.Positive = tt.before.Positive, tt.before.Negative
		require.Equal(t, tt.want, expo.Restarted(tt.before, tt.now), name+", negative")
	}
}

// A histogram never looks restarted after recording, merging or a reduction.
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
