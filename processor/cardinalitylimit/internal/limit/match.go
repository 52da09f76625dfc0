package limit

import (
	"strings"
	"sync"
)

// Match selects metrics. Without conditions it selects all.
type Match struct {
	Metrics Names           // expressions for metric.name; empty: all
	Equals  map[Part]string // parts outside of points, with the required values
}

// matcher is a compiled Match.
type matcher struct {
	metrics nameCache
	equals  map[Part]string
}

func (m *Match) compile() matcher {
	return matcher{metrics: newNameCache(m.Metrics), equals: m.Equals}
}

// matches reports whether the metric at hand is selected.
func (m *matcher) matches(c *Cursor) bool {
	if len(m.metrics.patterns) > 0 && !m.metrics.has(c.metric.Name()) {
		return false
	}
	for p, want := range m.equals {
		if c.text(p, noAttributes) != want {
			return false
		}
	}
	return true
}

// nameCache remembers which names match, because an expression costs far more than a lookup. It is safe for concurrent use.
type nameCache struct {
	patterns Names
	mu       *sync.RWMutex
	known    map[string]bool
}

// maxKnownNames and maxKnownLength bound the memory for names of senders. Further and longer names are matched each time.
const (
	maxKnownNames  = 10_000
	maxKnownLength = 256
)

func newNameCache(patterns Names) nameCache {
	return nameCache{patterns: patterns, mu: new(sync.RWMutex), known: make(map[string]bool)}
}

func (n *nameCache) has(name string) bool {
	if len(n.patterns) == 0 {
		return false
	}
	n.mu.RLock()
	matches, known := n.known[name]
	n.mu.RUnlock()
	if known {
		return matches
	}
	matches = n.patterns.has(name)
	n.mu.Lock()
	if len(n.known) < maxKnownNames && len(name) <= maxKnownLength {
		n.known[strings.Clone(name)] = matches // the name may share memory with its batch
	}
	n.mu.Unlock()
	return matches
}
