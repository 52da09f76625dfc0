package offenders

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// sketch estimates the number of distinct hashes that it was shown: HyperLogLog with 2^p registers, of a relative
// standard error of 1.04/sqrt(2^p). A register holds the longest run of leading zeros, plus one, among the hashes that
// meet there. Four registers share a word.
//
// Flajolet, Fusy, Gandouet, Meunier: HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm (2007).
//
// Safe for concurrent use: a register only grows, by compare-and-swap; most hashes change none and cost one load.
type sketch struct {
	p     uint8
	words []atomic.Uint32
}

const (
	registerBits     = 8
	registersPerWord = 4
)

func newSketch(p uint8) *sketch {
	return &sketch{p: p, words: make([]atomic.Uint32, 1<<p/registersPerWord)}
}

// sketchBytes is what a sketch of 2^p registers takes.
func sketchBytes(p uint8) int { return 1 << p }

// add shows the sketch a hash, all of whose bits are taken for random, and tells whether that changed it. Of many that
// add one new hash at once, each may hear so.
func (s *sketch) add(hash uint64) (changed bool) {
	register := hash >> (64 - s.p)
	// The bit below those that remain ends the run.
	rank := uint32(bits.LeadingZeros64(hash<<s.p|1<<(s.p-1))) + 1 //nolint:gosec // at most 64
	word, shift := &s.words[register/registersPerWord], register%registersPerWord*registerBits
	for {
		old := word.Load()
		if old>>shift&(1<<registerBits-1) >= rank {
			return false
		}
		grown := old&^((1<<registerBits-1)<<shift) | rank<<shift
		if word.CompareAndSwap(old, grown) {
			return true
		}
	}
}

func (s *sketch) reset() {
	for i := range s.words {
		s.words[i].Store(0)
	}
}

// histogram counts the registers by their value, those of all sketches, which have one size, taken as their union.
func histogram(sketches ...*sketch) (counts [65]int) {
	for i := range sketches[0].words {
		for shift := 0; shift < 32; shift += registerBits {
			most := uint32(0)
			for _, s := range sketches {
				most = max(most, s.words[i].Load()>>shift&(1<<registerBits-1))
			}
			counts[most]++
		}
	}
	return counts
}

// estimate returns the number of distinct hashes that one of the sketches has seen.
//
// Ertl: New cardinality estimation algorithms for HyperLogLog sketches (2017), algorithm 6: one formula without bias for
// small, middle and large numbers.
func estimate(sketches ...*sketch) float64 {
	counts, p := histogram(sketches...), int(sketches[0].p)
	m, q := float64(int(1)<<p), 64-p
	z := m * tau(1-float64(counts[q+1])/m)
	for k := q; k >= 1; k-- {
		z = (z + float64(counts[k])) / 2
	}
	z += m * sigma(float64(counts[0])/m)
	return m * m / (2 * math.Ln2 * z)
}

// sigma corrects for the registers that are still zero.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		last := z
		z += x * y
		y += y
		if z == last {
			return z
		}
	}
}

// tau corrects for the registers that cannot grow.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		last := z
		y /= 2
		z -= (1 - x) * (1 - x) * y
		if z == last {
			return z / 3
		}
	}
}

// span counts over the last half to full window, in two sketches that take turns: all spans of a board turn at once.
type span struct {
	halves [2]*sketch
	turn   *atomic.Uint32 // 0 or 1: which of them counts now
}

func newSpan(p uint8, turn *atomic.Uint32) span {
	return span{[2]*sketch{newSketch(p), newSketch(p)}, turn}
}

// spanBytes is what a span takes.
func spanBytes(p uint8) int { return 2 * sketchBytes(p) }

func (s *span) add(hash uint64) (changed bool) { return s.halves[s.turn.Load()].add(hash) }

// estimate is the number of distinct hashes over both halves.
func (s *span) estimate() int64 { return int64(math.Round(estimate(s.halves[0], s.halves[1]))) }

// forget clears the half that is not counting: its turn comes.
func (s *span) forget() { s.halves[1-s.turn.Load()].reset() }
