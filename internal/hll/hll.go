// Package hll estimates the number of distinct hashes in a stream with a fixed number of bytes.
//
// It implements HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) with the estimator of Ertl, "New cardinality
// estimation algorithms for HyperLogLog sketches" (2017), algorithm 6, whose one formula has no bias for small, middle
// and large numbers.
package hll

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// Sketch has 2^precision registers and a relative standard error of 1.04/sqrt(2^precision). The first bits of a hash
// select a register, which stores the longest run of leading zeros, plus one, among the rest of these hashes. Four
// registers share a word.
//
// Its methods are safe for concurrent use: a register only grows, by compare-and-swap. Most hashes change no register
// and cost one load.
type Sketch struct {
	precision uint8
	words     []atomic.Uint32
}

const (
	registerBits     = 8
	registersPerWord = 4
)

// New returns an empty sketch. The precision must be from 4 to 16.
func New(precision uint8) *Sketch {
	return &Sketch{precision: precision, words: make([]atomic.Uint32, 1<<precision/registersPerWord)}
}

// Bytes returns the size of a sketch's registers.
func Bytes(precision uint8) int { return 1 << precision }

// Add adds a hash and reports whether the sketch changed. All bits of the hash must look random. If several goroutines
// add the same new hash at once, more than one of them may get true.
func (s *Sketch) Add(hash uint64) (changed bool) {
	register := hash >> (64 - s.precision)
	// The lowest remaining bit is set, so that the run ends there at the latest.
	rank := uint32(bits.LeadingZeros64(hash<<s.precision|1<<(s.precision-1))) + 1 //nolint:gosec // at most 64
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

// Merge adds the hashes of o, which must have the same precision. It does not change o.
func (s *Sketch) Merge(o *Sketch) {
	for i := range o.words {
		word := &s.words[i]
		for other := o.words[i].Load(); ; {
			old := word.Load()
			if word.CompareAndSwap(old, largest(old, other)) {
				break
			}
		}
	}
}

// largest returns a word whose registers are the larger ones of two words.
func largest(a, b uint32) (word uint32) {
	for shift := 0; shift < 32; shift += registerBits {
		const register = 1<<registerBits - 1
		word |= max(a>>shift&register, b>>shift&register) << shift
	}
	return word
}

// Reset empties the sketch.
func (s *Sketch) Reset() {
	for i := range s.words {
		s.words[i].Store(0)
	}
}

// histogram counts the registers of the sketches' union by their value.
func histogram(sketches ...*Sketch) (counts [65]int) {
	for i := range sketches[0].words {
		word := uint32(0)
		for _, s := range sketches {
			word = largest(word, s.words[i].Load())
		}
		for shift := 0; shift < 32; shift += registerBits {
			counts[word>>shift&(1<<registerBits-1)]++
		}
	}
	return counts
}

// Estimate returns the estimated number of distinct hashes in the union of the sketches, which must have the same
// precision.
func Estimate(sketches ...*Sketch) float64 {
	counts, p := histogram(sketches...), int(sketches[0].precision)
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
