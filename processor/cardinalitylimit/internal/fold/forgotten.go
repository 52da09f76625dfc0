package fold

import (
	"math/bits"
	"sync"
)

// forgotten remembers the identities of streams that are no longer tracked: what they
// had grown to has been counted. It is two Bloom filters. When the current one is full
// it becomes the older one, and what that remembered is lost. Safe for concurrent use.
type forgotten struct {
	mu     sync.Mutex
	words  [2][]uint64 // the current filter and the older one; nil: empty
	added  int         // to the current filter
	newest [2]int64    // our time of the last addition to each
	size   int         // words of a filter
	budget Budget
}

const (
	// forgottenBits a stream and forgottenHashes give 0.05 % of strangers.
	forgottenBits   = 16
	maxForgotten    = 1 << 20 // streams, in each filter
	forgottenHashes = 8
)

func newForgotten(streams int, budget Budget) *forgotten {
	return &forgotten{size: max(min(streams, maxForgotten)*forgottenBits/64, 64), budget: budget}
}

// bytes is what is reserved.
func (f *forgotten) bytes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return 8 * (len(f.words[0]) + len(f.words[1]))
}

// add remembers id. It returns the time until which what has been forgotten is no
// longer known, or 0.
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

// walk calls visit with the bits of id until it returns false, and reports whether it
// never did.
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

// forgottenImage is what is stored of forgotten.
type forgottenImage struct {
	words  [2][]uint64
	newest [2]int64
	added  int
}

// restore adds an image. It returns the time until which what has been forgotten is
// not known: filters of another size cannot be read.
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
