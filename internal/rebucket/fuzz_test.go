package rebucket_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// FuzzFit converts a point with any bounds, counts and range to any target bounds. A target bound has 8 bytes, and a
// source bound with its count 9.
func FuzzFit(f *testing.F) {
	f.Add([]byte{}, []byte{}, 0.0, 0.0, uint8(rebucket.PCHIP))
	f.Add(make([]byte, 90), make([]byte, 64), 1.0, 2.0, uint8(rebucket.Log))
	f.Fuzz(func(t *testing.T, source, target []byte, low, high float64, split uint8) {
		var counts []uint64
		room := uint64(math.MaxUint64)
		for i := 0; i+9 <= len(source); i += 9 { // a byte gives the count as a share of the remaining room
			n := room >> (source[i+8] & 63)
			if source[i+8] > 63 {
				n = uint64(source[i+8] & 63)
			}
			n = min(n, room)
			counts, room = append(counts, n), room-n
		}
		bounds := finiteBounds(source, 9)
		counts = append(counts, 0, 0)[:len(bounds)+1]
		to := finiteBounds(target, 8)
		out := make([]uint64, len(to)+1)
		rebucket.NewPlan(to, bounds, rebucket.Split(split%5)).Fit(out, counts, rebucket.Range{Min: low, Max: high})
		if sum(out) != sum(counts) {
			t.Fatalf("%d of %d", sum(out), sum(counts))
		}
		before := cumulative(counts)
		for j, got := range cumulative(out)[:len(to)] {
			i, shared := slices.BinarySearch(bounds, to[j])
			lo, hi := uint64(0), before[i]
			if shared {
				lo = hi
			} else if i > 0 {
				lo = before[i-1]
			}
			if got < lo || got > hi {
				t.Fatalf("%d at %v, must be from %d to %d", got, to[j], lo, hi)
			}
		}
	})
}

// finiteBounds returns the finite ones of the float64s that begin every stride bytes, in increasing order.
func finiteBounds(b []byte, stride int) []float64 {
	var to []float64
	for i := 0; i+stride <= len(b); i += stride {
		if v := math.Float64frombits(binary.LittleEndian.Uint64(b[i:])); floats.IsFinite(v) {
			to = append(to, v)
		}
	}
	slices.Sort(to)
	return slices.Compact(to)
}
