package limit

import (
	"errors"
	"fmt"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// ErrChanged means that the stored places belong to another limit of that name.
var ErrChanged = errors.New("key, count or window of the limit have changed")

// identity returns a text of everything that must be equal for places to keep their meaning. Maximum, action and the other
// fields may change.
func (s *Spec) identity(o *Options) string {
	return fmt.Sprintf("%q %q values=%t streams=%t window=%s/%d",
		s.Name, s.Key, s.MaxValues > 0, s.Streams, o.Window, o.Tracker.Generations)
}

// Encode writes the places of limit i. It locks each key while it copies its tracker, and writes without a lock. A key that is
// added or removed meanwhile may be missing.
func (s *Set) Encode(i int, e *snapshot.Encoder) {
	l := s.limits[i]
	e.Text(l.identity(&s.options))
	for at := range l.trackers.shards {
		l.trackers.shards[at].encode(e)
	}
	l.trackers.shared.encode(e)
}

// Decode restores the places of limit i. The limit must not be in use. If Decode returns an error, the limit is empty.
func (s *Set) Decode(i int, d *snapshot.Decoder) error {
	l := s.limits[i]
	if d.Text() != l.identity(&s.options) {
		if err := d.Err(); err != nil {
			return err
		}
		return ErrChanged
	}
	now := s.options.Now().UnixNano()
	t := &l.trackers
	for at := range t.shards {
		l.decode(&t.shards[at], d, now, s.generation.Load())
	}
	l.decode(&t.shared, d, now, s.generation.Load())
	if err := d.Done(); err != nil {
		t.clear(l.max)
		return err
	}
	return nil
}

// NoteUnknownUntil notes that unknown series of limit i may have had a place until the time at, in ns since the epoch.
func (s *Set) NoteUnknownUntil(i int, at int64) {
	t := &s.limits[i].trackers
	for i := range t.shards { // a key that shares a tracker has the horizon of its own shard
		t.shards[i].noteUnknownUntil(at)
	}
}

func (s *shard) noteUnknownUntil(at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotAt = max(s.forgotAt, at)
	for _, e := range s.keys {
		e.forgotAt.Store(max(e.forgotAt.Load(), at))
	}
}

// applyDescription gives a restored entry the configured number of places.
func (e *entry) applyDescription(d *description) {
	e.restored, e.override = false, d.override
	if d.places != e.Limit() {
		e.SetLimit(d.places)
	}
}

// encode writes the entries one by one, because their number is not known before.
func (s *shard) encode(e *snapshot.Encoder) {
	type named struct {
		id uint64
		*entry
	}
	s.mu.Lock()
	forgot, entries := s.forgotAt, make([]named, 0, len(s.keys))
	for id, e := range s.keys {
		entries = append(entries, named{id, e})
	}
	s.mu.Unlock()
	e.Int(forgot)
	for _, n := range entries {
		s.mu.Lock()
		dead, forgot, text := n.dead, n.forgotAt.Load(), n.text
		var image tracker.Image
		if !dead {
			image = n.Image()
		}
		s.mu.Unlock()
		if dead {
			continue
		}
		e.Bool(true)
		e.Fixed(n.id)
		e.Int(forgot)
		e.Text(text)
		image.Encode(e)
	}
	e.Bool(false)
}

// decode restores the entries of a shard. If the budget has no memory for a key, its places are forgotten. The entry of a label
// is in the shard of its key, whose identity is not stored.
func (l *limit) decode(s *shard, d *snapshot.Decoder, now, generation int64) {
	t := &l.trackers
	s.forgotAt = max(s.forgotAt, d.Int())
	for d.Bool() {
		id, forgot, text := d.Fixed(), d.Int(), d.Text()
		tr := tracker.Decode(d, generation, t.options)
		known := s.keys[id]
		if shared := s == &t.shared; shared != (known != nil) || !shared && !l.labels() && t.shard(id) != s {
			d.Fail()
		}
		switch {
		case d.Err() != nil:
			if tr != nil {
				tr.Free()
			}
			return
		case tr == nil:
			s.forgotAt = now
			if known != nil {
				known.forgotAt.Store(now)
			}
		case known != nil: // the shared tracker always exists
			known.Free()
			known.Tracker = tr
			known.forgotAt.Store(forgot)
			known.applyDescription(&description{places: l.max, override: noOverride})
		case t.reserve():
			e := &entry{Tracker: tr, text: text, override: noOverride, restored: true}
			e.forgotAt.Store(forgot)
			s.keys[id] = e
		default:
			tr.Free()
			s.forgotAt = now
		}
	}
}

// reserve reserves the memory of one more key.
func (t *table) reserve() bool {
	if t.keys.Add(1) <= t.maxKeys && t.options.Budget.Reserve(keyBytes) {
		return true
	}
	t.keys.Add(-1)
	return false
}

// clear removes all keys.
func (t *table) clear(places int) {
	for i := range t.shards {
		s := &t.shards[i]
		for id, e := range s.keys {
			e.Free()
			t.options.Budget.Release(keyBytes)
			t.keys.Add(-1)
			delete(s.keys, id)
		}
		s.forgotAt = 0
	}
	e := t.shared.keys[sharedKey]
	if tr, ok := tracker.New(places, 0, t.options); ok {
		e.Free()
		e.Tracker = tr
		e.forgotAt.Store(0)
	}
}
