package tracker

import (
	"math/bits"
	"slices"
)

// sample counts distinct fingerprints by keeping few of them: those whose hash
// begins with so many zeros that they fit. Each stands for 2^zeros. The relative
// standard error is about 1.2/sqrt(size): 5 % for 512.
//
// Flajolet: On adaptive sampling (1990).
type sample struct {
	kept  []uint64 // sorted; the capacity is the size
	zeros int
}

const (
	// A sample of 512 takes 4 KiB. Small limits have less: a quarter of a byte a place
	// for two samples.
	maxSample = 512
	minSample = 16
)

func sampleSize(limit int) int { return min(max(limit/64, minSample), maxSample) }

// sampleBytes is what both samples of a tracker take.
func sampleBytes(limit int) int { return 2 * sampleSize(limit) * wordBytes }

func newSample(size int) *sample { return &sample{kept: make([]uint64, 0, size)} }

// zerosOf counts the zeros at the beginning of a hash of fp: neither the bits that a
// slot nor those that a filter goes by.
func zerosOf(fp uint64) int {
	return bits.LeadingZeros64((fp ^ fp>>29) * 0xbf58476d1ce4e5b9)
}

func (s *sample) add(fp uint64) {
	if zerosOf(fp) < s.zeros {
		return
	}
	i, known := slices.BinarySearch(s.kept, fp)
	if known {
		return
	}
	for len(s.kept) == cap(s.kept) {
		s.zeros++
		s.kept = slices.DeleteFunc(s.kept, func(fp uint64) bool { return zerosOf(fp) < s.zeros })
		if zerosOf(fp) < s.zeros {
			return
		}
		i, _ = slices.BinarySearch(s.kept, fp)
	}
	s.kept = slices.Insert(s.kept, i, fp)
}

// count estimates how many distinct fingerprints were added.
func (s *sample) count() float64 { return float64(len(s.kept)) * float64(uint64(1)<<s.zeros) }

// without estimates how many of them were not added to o.
func (s *sample) without(o *sample) float64 {
	zeros, n := max(s.zeros, o.zeros), 0
	for _, fp := range s.kept {
		if _, known := slices.BinarySearch(o.kept, fp); !known && zerosOf(fp) >= zeros {
			n++
		}
	}
	return float64(n) * float64(uint64(1)<<zeros)
}

// reset forgets all.
func (s *sample) reset() { s.kept, s.zeros = s.kept[:0], 0 }
