package limit

import (
	"slices"
	"sync/atomic"
)

// neededMetadata contains the names of the client's metadata that limits need, and whether a request has had each.
type neededMetadata struct {
	names     []string
	seen      []atomic.Bool
	requested atomic.Bool  // a request has come
	left      atomic.Int32 // names that no request has had yet
}

// need adds the metadata in a limit's key and match.
func (n *neededMetadata) need(l *limit) {
	add := func(p Part) {
		if p.source == fromMetadata && !slices.Contains(n.names, p.name) {
			n.names = append(n.names, p.name)
		}
	}
	for _, p := range l.Key {
		add(p)
	}
	for p := range l.Match.Equals {
		add(p)
	}
	n.seen = make([]atomic.Bool, len(n.names))
	n.left.Store(int32(len(n.names))) //nolint:gosec // as many as a configuration names
}

// note notes the metadata of a request.
func (n *neededMetadata) note(md Metadata) {
	if n.left.Load() == 0 {
		return
	}
	n.requested.Store(true)
	for i, name := range n.names {
		if len(md.Get(name)) > 0 && !n.seen[i].Swap(true) {
			n.left.Add(-1)
		}
	}
}

// NeedsMetadata reports whether a limit needs the client's metadata.
func (s *Set) NeedsMetadata() bool { return len(s.neededMetadata.names) > 0 }

// MissingMetadata returns the names of client metadata that a limit needs and no request has had. It returns none before the
// first request.
func (s *Set) MissingMetadata() []string {
	n := &s.neededMetadata
	if n.left.Load() == 0 || !n.requested.Load() {
		return nil
	}
	var missing []string
	for i, name := range n.names {
		if !n.seen[i].Load() {
			missing = append(missing, name)
		}
	}
	return missing
}
