package offenders

import (
	"math"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/hll"
)

// span counts over the last half to full window, in two sketches that take turns: all spans of a board turn at once.
type span struct {
	halves [2]*hll.Sketch
	turn   *atomic.Uint32 // 0 or 1: which of them counts now
}

func newSpan(p uint8, turn *atomic.Uint32) span {
	return span{[2]*hll.Sketch{hll.New(p), hll.New(p)}, turn}
}

// spanBytes is the size of a span.
func spanBytes(p uint8) int { return 2 * hll.Bytes(p) }

func (s *span) add(hash uint64) (changed bool) { return s.halves[s.turn.Load()].Add(hash) }

// estimate is the number of distinct hashes over both halves.
func (s *span) estimate() int64 { return int64(math.Round(hll.Estimate(s.halves[0], s.halves[1]))) }

// forget clears the half that is not counting: its turn comes.
func (s *span) forget() { s.halves[1-s.turn.Load()].Reset() }
