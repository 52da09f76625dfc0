package limit

import (
	"slices"
	"sync/atomic"
)

// wantedMetadata contains the names of the client's metadata that limits need, and whether a request has had each.
type wantedMetadata struct {
	names     []string
	seen      []atomic.Bool
	requested atomic.Bool  // a request has come
	left      atomic.Int32 // names that no request has had yet
}

// want adds the metadata in a limit's key and match.
func (h *wantedMetadata) want(l *limit) {
	add := func(p Part) {
		if p.source == fromMetadata && !slices.Contains(h.names, p.name) {
			h.names = append(h.names, p.name)
		}
	}
	for _, p := range l.Key {
		add(p)
	}
	for p := range l.Match.Equals {
		add(p)
	}
	h.seen = make([]atomic.Bool, len(h.names))
	h.left.Store(int32(len(h.names))) //nolint:gosec // as many as a configuration names
}

// note notes the metadata of a request.
func (h *wantedMetadata) note(md Metadata) {
	if h.left.Load() == 0 {
		return
	}
	h.requested.Store(true)
	for i, name := range h.names {
		if len(md.Get(name)) > 0 && !h.seen[i].Swap(true) {
			h.left.Add(-1)
		}
	}
}

// MissingMetadata returns the names of client metadata that a limit needs and no request has had. It returns none before the
// first request.
func (s *Set) MissingMetadata() []string {
	h := &s.wanted
	if h.left.Load() == 0 || !h.requested.Load() {
		return nil
	}
	var missing []string
	for i, name := range h.names {
		if !h.seen[i].Load() {
			missing = append(missing, name)
		}
	}
	return missing
}
