package offenders

import (
	"math"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/hll"
)

// windowSketch counts distinct hashes over the last half to full window. It has two sketches that take turns: each counts for
// half a window. All windowSketches of a board change at the same time.
type windowSketch struct {
	halves [2]*hll.Sketch
	turn   *atomic.Uint32 // index of the sketch that counts now
}

func newWindowSketch(p uint8, turn *atomic.Uint32) windowSketch {
	return windowSketch{[2]*hll.Sketch{hll.New(p), hll.New(p)}, turn}
}

// windowBytes is the size of a windowSketch.
func windowBytes(p uint8) int { return 2 * hll.Bytes(p) }

func (s *windowSketch) add(hash uint64) (changed bool) { return s.halves[s.turn.Load()].Add(hash) }

// estimate returns the estimated number of distinct hashes of both halves.
func (s *windowSketch) estimate() int64 {
	return int64(math.Round(hll.Estimate(s.halves[0], s.halves[1])))
}

// clearNext clears the sketch that does not count now. The caller then makes it the counting one.
func (s *windowSketch) clearNext() { s.halves[1-s.turn.Load()].Reset() }
