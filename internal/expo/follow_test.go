package expo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// At scale 0 bucket 1 is (2, 4] and bucket -1 is (0.5, 1].
func TestFollows(t *testing.T) {
	at := func(scale int32, threshold float64, indexes ...int32) *expo.Histogram {
		h := expo.New(160)
		h.Scale, h.ZeroThreshold = scale, threshold
		for _, i := range indexes {
			h.Positive.Offset = i
			h.Positive.Counts = []uint64{1}
		}
		return h
	}
	for name, tt := range map[string]struct {
		h, prev *expo.Histogram
		follows bool
	}{
		"same":                          {at(0, 1), at(0, 1), true},
		"scale falls":                   {at(-1, 1), at(0, 1), true},
		"scale rises":                   {at(1, 1), at(0, 1), false},
		"threshold falls":               {at(0, 1), at(0, 2), false},
		"threshold appears":             {at(0, 3), at(0, 0), true},
		"threshold into a bucket":       {at(0, 3), at(0, 1, 1), false},
		"threshold beside a bucket":     {at(0, 3), at(0, 1, 2), true},
		"threshold to a bucket's bound": {at(0, 4), at(0, 1, 1), true},
		"threshold to its lower bound":  {at(0, 2), at(0, 1, 1), true},
		"lowest scale":                  {at(math.MinInt32, 3), at(math.MinInt32, 1, 0), false},
		"lowest scale, other side":      {at(math.MinInt32, 0.5), at(math.MinInt32, 0, 0), true},
	} {
		require.Equal(t, tt.follows, tt.h.Follows(tt.prev), name)
		tt.prev.Negative, tt.prev.Positive = tt.prev.Positive, tt.prev.Negative
		require.Equal(t, tt.follows, tt.h.Follows(tt.prev), name+", negative")
	}
}
