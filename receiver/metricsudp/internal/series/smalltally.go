package series

import "github.com/otelcol-custom/otelcol-custom/internal/expo"

// smallTally contains the first values of a tally: each different value once, with its count. Most series have so few values in an
// interval that buckets would need five times the memory.
type smallTally struct {
	n       int                     // different values
	entries [smallTallyValues]entry // a value beside its count: mostly only the first cache line is in use
}

type entry struct {
	value float64
	count uint64
}

// all returns the different values with their counts.
func (f *smallTally) all() []entry { return f.entries[:f.n] }

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
	for i := range f.all() {
		if e := &f.entries[i]; e.value == v {
			e.count = expo.AddSat(e.count, n)
			return true
		}
	}
	if f.n == smallTallyValues {
		return false
	}
	f.entries[f.n] = entry{v, n}
	f.n++
	return true
}

// hasRoom reports whether that many more values fit, even if all of them differ.
func (f *smallTally) hasRoom(values int) bool { return f.n+values <= smallTallyValues }

func (f *smallTally) anyNegative() bool {
	for _, e := range f.all() {
		if e.value < 0 {
			return true
		}
	}
	return false
}
