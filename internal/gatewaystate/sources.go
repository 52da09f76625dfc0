package gatewaystate

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Freshness is how old a shared snapshot may be.
const Freshness = time.Second

// Snapshot is the state of all sources at one time.
type Snapshot struct {
	At time.Time `json:"at"`
	// States are sorted by component.
	States []State `json:"components"`
}

// Sources is a Registry's list. It is safe for concurrent use.
type Sources struct {
	now func() time.Time

	mu      sync.Mutex // also serialises reading
	sources map[*registration]struct{}
	last    *Snapshot // nil after a change of sources
}

type registration struct{ source Source }

// NewSources returns an empty list.
func NewSources(now func() time.Time) *Sources {
	return &Sources{now: now, sources: map[*registration]struct{}{}}
}

// Register implements Registry.
func (s *Sources) Register(source Source) (unregister func()) {
	r := &registration{source}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources[r], s.last = struct{}{}, nil
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sources, r)
		s.last = nil
	}
}

// Snapshot returns the states. All callers within Freshness share one, which none of them may change.
func (s *Sources) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.last != nil && now.Sub(s.last.At) < Freshness && !now.Before(s.last.At) {
		return s.last
	}
	next := &Snapshot{At: now, States: make([]State, 0, len(s.sources))}
	for r := range s.sources {
		next.States = append(next.States, r.source.GatewayState())
	}
	slices.SortFunc(next.States, func(a, b State) int { return cmp.Compare(a.Component, b.Component) })
	s.last = next
	return next
}
