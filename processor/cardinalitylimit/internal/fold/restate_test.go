package fold

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The start of a point may be its time. As a first value it is a baseline. In a known stream its growth counts. If it fell, it
// is a baseline again.
func TestStartIsTime(t *testing.T) {
	type value struct {
		start, at, value int64
		sum              int64 // of the series afterwards
	}
	for name, values := range map[string][]value{
		"first":   {{10, 10, 1_000_000, 0}, {10, 20, 1_000_010, 10}},
		"goes on": {{5, 10, 100, 100}, {20, 20, 300, 300}, {20, 30, 500, 500}},
		"fell":    {{5, 10, 100, 100}, {20, 20, 40, 100}, {20, 30, 45, 105}},
		"repeats": {{10, 10, 7, 0}, {20, 20, 9, 2}, {30, 30, 12, 5}, {40, 40, 3, 5}, {50, 50, 4, 6}},
		"reset":   {{10, 10, 7, 0}, {10, 20, 9, 2}, {25, 30, 3, 5}, {25, 40, 2, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			table, _ := newTable(100)
			for _, v := range values {
				add(table, 1, 7, pmetric.MetricTypeSum, begun+v.start, begun+v.at, &number{i: v.value})
				require.Equal(t, v.sum, total(table.Flush()[0].values[0].value), "at %d", v.at)
			}
		})
	}
}

// Random streams have points with a start of their own, with the start before and with their time as start. A model computes
// their growth.
func TestStartIsTimeAgreesWithModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 6))
		table, _ := newTable(100)
		want := int64(0)
		type stream struct {
			start, value int64
			known        bool
		}
		streams := make([]stream, 5)
		for at := begun + 10; at < begun+1000; at += 10 {
			i := rng.IntN(len(streams))
			s := &streams[i]
			value, start := s.value+int64(rng.IntN(50)), s.start
			if rng.IntN(5) == 0 {
				value = int64(rng.IntN(50))
			}
			switch {
			case rng.IntN(4) == 0:
				start = at
			case !s.known || rng.IntN(8) == 0:
				start = at - 5
			}
			switch {
			case start == at && s.known && value >= s.value, start == s.start && s.known && value >= s.value:
				want += value - s.value
			case start == at:
			default:
				want += value
			}
			*s = stream{start, value, true}
			add(table, 1, uint64(i)<<58, pmetric.MetricTypeSum, start, at, &number{i: value})
		}
		require.Equal(t, want, total(table.Flush()[0].values[0].value), "seed %d", seed)
	}
}
