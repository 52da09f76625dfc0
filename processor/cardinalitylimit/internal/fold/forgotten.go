package fold

import (
	"math/bits"
	"sync"
)

// forgotten remembers the identities of streams that are not tracked any more. Their values have been counted. It consists of
// two Bloom filters. A full current filter becomes the older one, and the content of the older one is lost. It is safe for
// concurrent use.
type forgotten struct {
	mu     sync.Mutex
	words  [2][]uint64 // current filter, older filter; nil: empty
	added  int         // to the current filter
	newest [2]int64    // time of the last addition to each, by our clock
	size   int         // words of a filter
	budget Budget
}

const (
	// forgottenBits per stream and forgottenHashes give 0.05 % false positives.
	forgottenBits   = 16
	maxForgotten    = 1 << 20 // maximum number of streams per filter
	forgottenHashes = 8
)

func newForgotten(streams int, budget Budget) *forgotten {
	return &forgotten{size: max(min(streams, maxForgotten)*forgottenBits/64, 64), budget: budget}
}

// bytes is the reserved memory.
func (f *forgotten) bytes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return 8 * (len(f.words[0]) + len(f.words[1]))
}

// add adds id. It returns a time if older identities were lost: those forgotten until then are not known any more. Otherwise it
// returns 0.
func (f *forgotten) add(id uint64, now int64) (lost int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.added*forgottenBits >= f.size*64 {
		lost = f.newest[1]
		f.budget.Release(8 * len(f.words[1]))
		f.words[1], f.newest[1] = f.words[0], f.newest[0]
		f.words[0], f.newest[0], f.added = nil, 0, 0
	}
	if f.words[0] == nil {
		if !f.budget.Reserve(8 * f.size) {
			return now
		}
		f.words[0] = make([]uint64, f.size)
	}
	f.added++
	f.newest[0] = max(f.newest[0], now)
	f.walk(id, func(word, bit uint64) bool {
		f.words[0][word] |= bit
		return true
	})
	return lost
}

// has reports whether id is remembered.
func (f *forgotten) has(id uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, words := range f.words {
		if words != nil && f.walk(id, func(word, bit uint64) bool { return words[word]&bit != 0 }) {
			return true
		}
	}
	return false
}

// walk calls visit with the bits of id until visit returns false. It reports whether visit never did.
func (f *forgotten) walk(id uint64, visit func(word, bit uint64) bool) bool {
	at, step := id, id*0x9e3779b97f4a7c15|1
	for range forgottenHashes {
		word, rest := bits.Mul64(at, uint64(f.size))
		if !visit(word, 1<<(rest>>58)) {
			return false
		}
		at += step
	}
	return true
}

// image returns a copy.
func (f *forgotten) image() forgottenImage {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := forgottenImage{added: f.added, newest: f.newest}
	for i, words := range f.words {
		m.words[i] = append(m.words[i], words...)
	}
	return m
}

// forgottenImage is a copy of forgotten for a cut.
type forgottenImage struct {
	words  [2][]uint64
	newest [2]int64
	added  int
}

// restore adds an image. It returns a time if it could not read a filter, which may have another size: identities forgotten
// until then are not known.
func (f *forgotten) restore(m *forgottenImage) (lost int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, words := range m.words {
		if len(words) == 0 {
			continue
		}
		if len(words) != f.size || !f.budget.Reserve(8*f.size) {
			lost = max(lost, m.newest[i])
			continue
		}
		f.words[i], f.newest[i] = words, m.newest[i]
		if i == 0 {
			f.added = m.added
		}
	}
	return lost
}
