package series

import "github.com/otelcol-custom/otelcol-custom/internal/expo"

// smallTally contains the first values of a tally: each different value once, with its count. Most series have so few values in an
// interval that buckets would need five times the memory.
type smallTally struct {
	n      int // different values
	values [smallTallyValues]float64
	counts [smallTallyValues]uint64
}

const (
	smallTallyValues = 15  // that fit into smallTallyBytes
	smallTallyBytes  = 256 // size of the struct; a size class of the allocator
)

func newSmallTally() *smallTally { return new(smallTally) }

func (f *smallTally) size() int { return smallTallyBytes }

func (f *smallTally) reset() { f.n = 0 }

// record counts a value n times. It reports false if the value is a new one and there is no room for it.
func (f *smallTally) record(v float64, n uint64) bool {
	if n == 0 {
		return true
	}
	for i, known := range f.values[:f.n] {
		if known == v {
			f.counts[i] = expo.AddSat(f.counts[i], n)
			return true
		}
	}
	if f.n == smallTallyValues {
		return false
	}
	f.values[f.n], f.counts[f.n] = v, n
	f.n++
	return true
}

// hasRoom reports whether that many more values fit, even if all of them differ.
func (f *smallTally) hasRoom(values int) bool { return f.n+values <= smallTallyValues }

func (f *smallTally) anyNegative() bool {
	for _, v := range f.values[:f.n] {
		if v < 0 {
			return true
		}
	}
	return false
}
