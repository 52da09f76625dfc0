package limit

import (
	"errors"
	"fmt"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// ErrChanged means that the places stored are those of another limit of that name.
var ErrChanged = errors.New("key, count or window of the limit have changed")

// identity is what must be equal for places to keep their meaning. The maximum, the
// action and all else may change.
func (s *Spec) identity(o *Options) string {
	return fmt.Sprintf("%q %q values=%t streams=%t window=%s/%d",
		s.Name, s.Key, s.MaxValues > 0, s.Streams, o.Window, o.Tracker.Generations)
}

// Encode writes the places of limit i. Each key's lock is held while its tracker is
// copied, and no lock while it is written. Those that come and go meanwhile may be
// in or not.
func (s *Set) Encode(i int, e *snapshot.Encoder) {
	l := s.limits[i]
	e.Text(l.identity(&s.options))
	for at := range l.trackers.shards {
		l.trackers.shards[at].encode(e)
	}
	l.trackers.shared.encode(e)
}

// Decode restores the places of limit i, before it is used. Where it returns an
// error the limit is empty.
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
		l.decode(&t.shards[at], d, now, s.epoch.Load())
	}
	l.decode(&t.shared, d, now, s.epoch.Load())
	if err := d.Done(); err != nil {
		t.clear(l.max)
		return err
	}
	return nil
}

// Forget says that series of limit i may have held a place until the time at, in ns
// since the epoch, without it being known.
func (s *Set) Forget(i int, at int64) {
	t := &s.limits[i].trackers
	for i := range t.shards {
		t.shards[i].forget(at)
	}
	t.shared.forget(at)
}

func (s *shard) forget(at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot = max(s.forgot, at)
	for _, e := range s.keys {
		e.forgot.Store(max(e.forgot.Load(), at))
	}
}

// settle gives a restored entry the number of places that is configured now.
func (e *entry) settle(d *description) {
	e.restored, e.override = false, d.override
	if d.places != e.Limit() {
		e.SetLimit(d.places)
	}
}

// encode writes the entries one by one: how many there will be is not known before.
func (s *shard) encode(e *snapshot.Encoder) {
	type named struct {
		id uint64
		*entry
	}
	s.mu.Lock()
	forgot, entries := s.forgot, make([]named, 0, len(s.keys))
	for id, e := range s.keys {
		entries = append(entries, named{id, e})
	}
	s.mu.Unlock()
	e.Int(forgot)
	for _, n := range entries {
		s.mu.Lock()
		dead, forgot, text := n.dead, n.forgot.Load(), n.text
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

// decode restores the entries of a shard. The places of a key that there is no room
// for are forgotten. Labels are in the shard of their key, which is not stored.
func (l *limit) decode(s *shard, d *snapshot.Decoder, now, epoch int64) {
	t := &l.trackers
	s.forgot = max(s.forgot, d.Int())
	for d.Bool() {
		id, forgot, text := d.Fixed(), d.Int(), d.Text()
		tr := tracker.Decode(d, epoch, t.config)
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
			s.forgot = now
			if known != nil {
				known.forgot.Store(now)
			}
		case known != nil: // the shared one is always there
			known.Free()
			known.Tracker = tr
			known.forgot.Store(forgot)
			known.settle(&description{places: l.max, override: noOverride})
		case t.reserve():
			e := &entry{Tracker: tr, text: text, override: noOverride, restored: true}
			e.forgot.Store(forgot)
			s.keys[id] = e
		default:
			tr.Free()
			s.forgot = now
		}
	}
}

// reserve makes room for one more key.
func (t *table) reserve() bool {
	if t.keys.Add(1) <= t.maxKeys && t.config.Budget.Reserve(keyBytes) {
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
			t.config.Budget.Release(keyBytes)
			t.keys.Add(-1)
			delete(s.keys, id)
		}
		s.forgot = 0
	}
	e := t.shared.keys[sharedKey]
	if tr, ok := tracker.New(places, 0, t.config); ok {
		e.Free()
		e.Tracker = tr
		e.forgot.Store(0)
	}
}
