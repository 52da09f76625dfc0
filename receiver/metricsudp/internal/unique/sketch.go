package unique

import (
	"math"
	"math/bits"
)

const (
	precision = 12             // bits of the hash that choose a register
	registers = 1 << precision // 4 KiB
	ranks     = 64 - precision // bits whose leading zeros are counted
)

// sketch is a HyperLogLog with one byte a register.
//
// The estimate is the one of O. Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches" (2017), algorithm 6: unbiased over the whole range without
// the empirical tables of earlier ones.
type sketch [registers]uint8

func (s *sketch) add(hash uint64) {
	// The guard bit ends the run of zeros at ranks, so that a rank is at most ranks+1.
	rank := uint8(bits.LeadingZeros64(hash<<precision|1<<(precision-1))) + 1
	if r := &s[hash>>ranks]; rank > *r {
		*r = rank
	}
}

func (s *sketch) merge(o *sketch) {
	for i, rank := range o {
		if rank > s[i] {
			s[i] = rank
		}
	}
}

func (s *sketch) reset() { *s = sketch{} }

func (s *sketch) estimate() uint64 {
	var counts [ranks + 2]int
	for _, rank := range s {
		counts[rank]++
	}
	const m = float64(registers)
	z := m * tau(1-float64(counts[ranks+1])/m)
	for k := ranks; k >= 1; k-- {
		z = 0.5 * (z + float64(counts[k]))
	}
	z += m * sigma(float64(counts[0])/m)
	return uint64(math.Round(m * m / (2 * math.Ln2 * z)))
}

// sigma is x + sum of 2^(k-1) x^(2^k).
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for last := math.NaN(); z != last; {
		last = z
		x *= x
		z += x * y
		y += y
	}
	return z
}

// tau is (1 - x - sum of (1 - x^(2^-k))^2 2^-k) / 3.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for last := math.NaN(); z != last; {
		last = z
		x = math.Sqrt(x)
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
	}
	return z / 3
}
