package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// checkLabels asks for a place for each label's value and takes away the labels
// that have none, if that is the action.
func (c *Cursor) checkLabels(i int, l *limit, attrs pcommon.Map, stale bool, d *Decision) {
	if len(c.pairs) == 0 {
		return
	}
	key := c.key(i, l)
	s := l.trackers.shard(key)
	g := &c.groups[i]
	locked, over, unknown, shared := false, false, false, false
	for at := range c.pairs {
		p := &c.pairs[at]
		if p.isMark || p.taken || l.values.drops(p.key) {
			continue
		}
		id := c.set.hash.Combine(key, p.label)
		if c.knows(l, g.label(at), id, p.value, d) {
			continue
		}
		if !locked {
			s.mu.Lock()
			c.held = append(c.held, &s.mu)
			locked = true
		}
		e, fp := s.keys[id], p.value
		if e == nil {
			e = l.trackers.add(s, id, c.epoch, func() *description {
				k := *c.describe(i, l, key, attrs)
				k.text += " label=" + p.key
				return &k
			})
		} else if e.restored {
			e.settle(c.describe(i, l, key, attrs))
		}
		if e != nil {
			*g.label(at) = recent{id, e}
		} else {
			if !shared {
				l.trackers.shared.mu.Lock()
				c.held = append(c.held, &l.trackers.shared.mu)
				shared = true
			}
			e, fp = l.trackers.shared.keys[sharedKey], c.set.hash.Combine(id, fp)
			c.Counts.Shared++
		}
		v := c.check(at, e, fp)
		if c.knownOnly && !v.Holds() {
			c.stranger = true
			return
		}
		v = c.contest(l, e, c.set.hash.Combine(id, p.value), v, stale)
		if !l.DryRun {
			d.Horizon = max(d.Horizon, e.forgot.Load())
		}
		if passes(v, stale) {
			continue
		}
		over, unknown = true, unknown || v == tracker.Room
		d.LostPlace = d.LostPlace || !l.DryRun && e.LostPlace(fp)
		c.offend(i, at, id, e, p.value, stale)
		if l.Action == Strip && !l.DryRun {
			c.take(p)
		}
	}
	if over {
		c.object(i, l, unknown, d)
	}
}

// take removes a label from the identity, which becomes a marked one.
func (c *Cursor) take(p *pair) {
	p.taken = true
	c.attributes -= p.pair
	if c.marked {
		return
	}
	c.marked = true
	c.attributes += c.set.mark
	for at := range c.pairs { // the mark takes the place of what the sender has under its name
		if p := &c.pairs[at]; p.label == c.set.markLabel && !p.taken {
			p.taken = true
			c.attributes -= p.pair
		}
	}
}

// checkSeries asks for a place for what is left of the identity.
func (c *Cursor) checkSeries(i int, l *limit, attrs pcommon.Map, stale bool, d *Decision) {
	key := c.key(i, l)
	fp := c.fingerprint(l)
	if c.knows(l, &c.groups[i].last, key, fp, d) {
		return
	}
	e, shared := c.entry(i, l, key, attrs)
	if shared {
		fp = c.set.hash.Combine(key, fp)
		c.Counts.Shared++
	}
	v := c.check(-1, e, fp)
	if c.knownOnly && !v.Holds() {
		c.stranger = true
		return
	}
	v = c.contest(l, e, c.set.hash.Combine(key, fp), v, stale)
	if !l.DryRun && l.rule == nil {
		d.Horizon = max(d.Horizon, e.forgot.Load())
	}
	if !passes(v, stale) {
		d.LostPlace = d.LostPlace || !l.DryRun && e.LostPlace(fp)
		c.offend(i, -1, key, e, fp, stale)
		c.object(i, l, v == tracker.Room, d)
	}
}

// fingerprint is the series of the point at hand as limit l counts it.
func (c *Cursor) fingerprint(l *limit) uint64 {
	if l.rule != nil {
		return c.Stream()
	}
	container := uint64(0)
	if l.Streams {
		container = c.streamID
	}
	return c.set.hash.Point(container, c.attributes)
}

// contest asks the doorkeeper about a stranger whose key has few places left, or none. It returns Full
// for one that may not have a place. The caller holds the lock of the key. The verdict is the last one.
func (c *Cursor) contest(l *limit, e *entry, series uint64, v tracker.Verdict, stale bool) tracker.Verdict {
	if l.contest == 0 || stale || v.Holds() {
		return v
	}
	taken := e.Size() + e.promised
	if v == tracker.Room {
		taken-- // its own
	}
	if float64(taken) < l.contest*float64(e.Limit()) {
		return v
	}
	active := l.door.active(&e.sighted, sighting{series, c.stampOf(series), c.slot})
	if active || v == tracker.Full {
		return v
	}
	e.promised--
	c.verdicts[len(c.verdicts)-1].verdict = tracker.Full
	return tracker.Full
}

// stampOf is the stamp of the stream at hand.
func (c *Cursor) stampOf(series uint64) uint64 {
	return c.set.hash.Combine(series, c.set.hash.Combine(c.Stream(), c.stamp))
}

// knows tells whether the tracker met last is that of id, and fp has been seen in
// this generation. Most points are such ones: they have their place under this limit,
// there is nothing to commit, and they take no lock, so that goroutines with one key
// do not wait for each other. A place that is known stays for a generation at least:
// what the other limits decide meanwhile finds it as if all had been asked at once.
func (c *Cursor) knows(l *limit, r *recent, id, fp uint64, d *Decision) bool {
	e := r.entry
	if e == nil || r.id != id || !e.Known(fp, c.epoch) {
		return false
	}
	if !l.DryRun && l.rule == nil {
		d.Horizon = max(d.Horizon, e.forgot.Load())
	}
	return true
}

// entry finds or opens the tracker of a key and holds its lock.
func (c *Cursor) entry(i int, l *limit, key uint64, attrs pcommon.Map) (e *entry, shared bool) {
	g := &c.groups[i]
	s := l.trackers.shard(key)
	s.mu.Lock()
	if g.last.entry != nil && g.last.id == key && !g.last.entry.dead {
		c.held = append(c.held, &s.mu)
		return g.last.entry, false
	}
	e = s.keys[key]
	if e == nil {
		e = l.trackers.add(s, key, c.epoch, func() *description { return c.describe(i, l, key, attrs) })
	} else if e.restored {
		e.settle(c.describe(i, l, key, attrs))
	}
	if e != nil {
		g.last = recent{key, e}
		c.held = append(c.held, &s.mu)
		return e, false
	}
	s.mu.Unlock()
	s = &l.trackers.shared
	s.mu.Lock()
	c.held = append(c.held, &s.mu)
	return s.keys[sharedKey], true
}

// check asks one tracker. Labels of a point may share a tracker: the places that
// earlier ones are about to take count as taken.
func (c *Cursor) check(pair int, e *entry, fp uint64) tracker.Verdict {
	e.advance(c.epoch, c.now)
	v := e.Check(fp)
	if v == tracker.Room {
		if e.Size()+e.promised >= e.Limit() {
			v = tracker.Full
		} else {
			e.promised++
		}
	}
	c.verdicts = append(c.verdicts, verdict{pair: pair, entry: e, fp: fp, verdict: v})
	return v
}

func passes(v tracker.Verdict, stale bool) bool {
	return v.Passes() && !stale || v.Holds()
}
