package series

import "github.com/otelcol-custom/otelcol-custom/internal/expo"

// few contains the first values of a tally: each different value once, with its count. Most series have so few values in an
// interval that buckets would need five times the memory.
type few struct {
	n      int // different values
	values [fewValues]float64
	counts [fewValues]uint64
}

const (
	fewValues = 15  // that fit into fewBytes
	fewBytes  = 256 // size of the struct; a size class of the allocator
)

func newFew() *few { return new(few) }

func (f *few) size() int { return fewBytes }

func (f *few) reset() { f.n = 0 }

// record counts a value n times. It reports false if the value is a new one and there is no room for it.
func (f *few) record(v float64, n uint64) bool {
	if n == 0 {
		return true
	}
	for i, known := range f.values[:f.n] {
		if known == v {
			f.counts[i] = expo.AddSat(f.counts[i], n)
			return true
		}
	}
	if f.n == fewValues {
		return false
	}
	f.values[f.n], f.counts[f.n] = v, n
	f.n++
	return true
}

// hasRoom reports whether that many more values fit, even if all of them differ.
func (f *few) hasRoom(values int) bool { return f.n+values <= fewValues }

func (f *few) anyNegative() bool {
	for _, v := range f.values[:f.n] {
		if v < 0 {
			return true
		}
	}
	return false
}
