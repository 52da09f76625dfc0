package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// checkLabels asks for a place for the value of each label. If the action is strip, it removes the labels whose values have no
// place.
func (c *Cursor) checkLabels(i int, l *limit, attrs pcommon.Map, d *Decision) {
	v := valueCheck{limit: i, l: l, attrs: attrs, key: c.key(i, l)}
	if !l.onlyResource {
		for at := range c.pairs {
			if p := &c.pairs[at]; !p.isMark && !p.removed && !l.values.drops(p.key) && !c.checkValue(&v, at, p, d) {
				return
			}
		}
	}
	if len(l.resourceValues.patterns) > 0 {
		c.readResource()
		for at := range c.resourcePairs {
			if p := &c.resourcePairs[at]; c.counts(l, p) && !c.checkValue(&v, len(c.pairs)+at, &p.pair, d) {
				return
			}
		}
	}
	if v.over {
		c.noteOver(i, l, v.unknown, d)
	}
}

// counts reports whether a limit counts the values of an attribute of the resource at hand.
func (c *Cursor) counts(l *limit, p *resourcePair) bool {
	return !p.removed && l.resourceValues.has(p.name) && (!c.HasRule() || c.keepsResource(p.name))
}

// valueCheck is the state of checkLabels.
type valueCheck struct {
	limit   int
	l       *limit
	attrs   pcommon.Map
	key     uint64
	locked  bool // the shard of the key is locked
	shared  bool // the shard of the keys beyond max_keys is locked
	over    bool
	unknown bool
}

// checkValue asks for a place for the value of a label. It returns false if the series is a stranger and only known series are
// decided on.
func (c *Cursor) checkValue(v *valueCheck, at int, p *pair, d *Decision) bool {
	i, l, key, st := v.limit, v.l, v.key, &c.states[v.limit]
	id := c.set.hash.Combine(key, p.label)
	if last := st.label(at); c.knows(last, id, p.value) {
		l.raiseHorizon(last.entry, d)
		return true
	}
	s := l.trackers.shard(key)
	if !v.locked {
		s.mu.Lock()
		c.held = append(c.held, &s.mu)
		v.locked = true
	}
	a := question{pair: at, entry: s.keys[id], fp: p.value, id: id, series: p.value}
	if a.entry == nil {
		a.entry = l.trackers.add(s, id, c.generation, func() *description {
			k := *c.describe(i, l, key, v.attrs)
			k.text += " label=" + p.key
			return &k
		})
	} else if a.entry.restored {
		a.entry.applyDescription(c.describe(i, l, key, v.attrs))
	}
	if a.entry != nil {
		*st.label(at) = recent{id, a.entry}
	} else {
		if !v.shared {
			l.trackers.shared.mu.Lock()
			c.held = append(c.held, &l.trackers.shared.mu)
			v.shared = true
		}
		a.entry, a.fp, a.shared = l.trackers.shared.keys[sharedKey], c.set.hash.Combine(id, p.value), true
		c.Counts.Shared++
	}
	verdict := c.verdict(i, a)
	if c.stranger {
		return false
	}
	if !l.DryRun {
		d.Horizon = max(d.Horizon, a.entry.forgotAt.Load())
		if a.shared { // the key may have had a tracker of its own before
			d.Horizon = max(d.Horizon, s.forgotAt)
		}
	}
	if c.passes(verdict) {
		return true
	}
	v.over, v.unknown = true, v.unknown || verdict == tracker.Room
	d.LostPlace = d.LostPlace || !l.DryRun && a.entry.HadPlace(a.fp)
	c.offend(i, at, id, a.entry, p.value)
	if l.Action == Strip && !l.DryRun {
		c.removeLabel(at, p)
	}
	return true
}

// pairAt returns the label with number at. The attributes of the point come first, then those of the resource.
func (c *Cursor) pairAt(at int) *pair {
	if at < len(c.pairs) {
		return &c.pairs[at]
	}
	return &c.resourcePairs[at-len(c.pairs)].pair
}

// removeLabel removes a label from the identity and marks the identity.
func (c *Cursor) removeLabel(at int, p *pair) {
	p.removed = true
	if at < len(c.pairs) {
		c.attributes -= p.pair
	} else {
		c.resourceReduced = true
	}
	if c.marked {
		return
	}
	c.marked = true
	c.attributes += c.set.mark
	for at := range c.pairs { // the mark replaces another value of the attribute
		if p := &c.pairs[at]; p.label == c.set.markLabel && !p.removed {
			p.removed = true
			c.attributes -= p.pair
		}
	}
}

// checkSeries asks for a place for the remaining identity.
func (c *Cursor) checkSeries(i int, l *limit, attrs pcommon.Map, d *Decision) {
	key := c.key(i, l)
	fp := c.fingerprint(l)
	if last := &c.states[i].last; c.knows(last, key, fp) {
		l.raiseHorizon(last.entry, d)
		return
	}
	e, removed, shared := c.entry(i, l, key, attrs)
	if shared {
		fp = c.set.hash.Combine(key, fp)
		c.Counts.Shared++
	}
	v := c.verdict(i, question{pair: -1, entry: e, fp: fp, id: key, series: fp, shared: shared})
	if c.stranger {
		return
	}
	if !l.DryRun && l.rule == nil {
		d.Horizon = max(d.Horizon, e.forgotAt.Load(), removed)
	}
	if !c.passes(v) {
		d.LostPlace = d.LostPlace || !l.DryRun && e.HadPlace(fp)
		c.offend(i, -1, key, e, fp)
		c.noteOver(i, l, v == tracker.Room, d)
	}
}

// question is a question to the tracker of a key.
type question struct {
	pair   int // number of the label for a limit on values, otherwise -1
	entry  *entry
	fp     uint64
	id     uint64 // identity of the key, or of the label under the key
	series uint64 // identity of the series under id
	shared bool   // entry is the tracker of the keys beyond max_keys
}

// verdict asks the tracker of a key, and then the cluster or the doorkeeper. It sets c.stranger if the point has to wait. The
// caller holds the lock of the key.
func (c *Cursor) verdict(i int, a question) tracker.Verdict {
	l := c.set.limits[i]
	if l.cluster && !a.shared {
		return c.clusterVerdict(i, a)
	}
	v := c.check(a.pair, a.entry, a.fp)
	if c.knownOnly && !v.IsMember() {
		c.stranger = true
		return v
	}
	if c.collecting {
		return v
	}
	return c.askDoorkeeper(l, a.entry, c.set.hash.Combine(a.id, a.series), v)
}

// fingerprint returns the identity of the series as limit l counts it.
func (c *Cursor) fingerprint(l *limit) uint64 {
	if l.rule != nil {
		return c.Stream()
	}
	container := uint64(0)
	if l.Streams {
		container, _ = c.remainingIDs()
	}
	return c.set.hash.Point(container, c.attributes)
}

// askDoorkeeper asks the doorkeeper about a stranger if the key is contested. It returns Full if the stranger may not have a place.
// The verdict must be the last one. The caller holds the lock of the key.
func (c *Cursor) askDoorkeeper(l *limit, e *entry, series uint64, v tracker.Verdict) tracker.Verdict {
	if l.contestedAt == 0 || c.stale || v.IsMember() {
		return v
	}
	used := e.Size() + e.reservedPlaces
	if v == tracker.Room {
		used-- // its own place
	}
	if float64(used) < l.contestedAt*float64(e.Limit()) {
		return v
	}
	active := l.doorkeeper.active(&e.quota, sighting{series, c.stampOf(series), c.slot})
	if active || v == tracker.Full {
		return v
	}
	e.reservedPlaces--
	c.verdicts[len(c.verdicts)-1].verdict = tracker.Full
	return tracker.Full
}

// stampOf returns the stamp of the stream at hand, combined with its identity.
func (c *Cursor) stampOf(series uint64) uint64 {
	return c.set.hash.Combine(series, c.set.hash.Combine(c.Stream(), c.stamp))
}

// knows reports whether r is the tracker of id and fp was seen in this generation. Most points are such ones. They have a place
// under this limit, need no commit and no lock. So goroutines with one key do not wait for each other. A known place stays for
// at least one generation. So the decision is as if all limits had been asked at the same time.
func (c *Cursor) knows(r *recent, id, fp uint64) bool {
	return r.entry != nil && r.id == id && r.entry.Known(fp, c.generation)
}

// raiseHorizon sets d.Horizon to at least the time until which places of the key were forgotten.
func (l *limit) raiseHorizon(e *entry, d *Decision) {
	if !l.DryRun && l.rule == nil {
		d.Horizon = max(d.Horizon, e.forgotAt.Load())
	}
}

// entry finds or adds the tracker of a key, and locks its shard. A key that shares a tracker may have had one of its own before:
// removed is the time until which places of such keys were forgotten, in ns since the epoch.
func (c *Cursor) entry(i int, l *limit, key uint64, attrs pcommon.Map) (e *entry, removed int64, shared bool) {
	st := &c.states[i]
	s := l.trackers.shard(key)
	s.mu.Lock()
	if st.last.entry != nil && st.last.id == key && !st.last.entry.dead {
		c.held = append(c.held, &s.mu)
		return st.last.entry, 0, false
	}
	e = s.keys[key]
	if e == nil {
		e = l.trackers.add(s, key, c.generation, func() *description { return c.describe(i, l, key, attrs) })
	} else if e.restored {
		e.applyDescription(c.describe(i, l, key, attrs))
	}
	if e != nil {
		st.last = recent{key, e}
		c.held = append(c.held, &s.mu)
		return e, 0, false
	}
	removed = s.forgotAt
	s.mu.Unlock()
	s = &l.trackers.shared
	s.mu.Lock()
	c.held = append(c.held, &s.mu)
	return s.keys[sharedKey], removed, true
}

// check asks one tracker. Labels of a point may share a tracker. The places that earlier labels of the point will get count as
// used.
func (c *Cursor) check(pair int, e *entry, fp uint64) tracker.Verdict {
	e.advance(c.generation, c.now)
	v := e.Check(fp)
	if v == tracker.Room {
		if e.Size()+e.reservedPlaces >= e.Limit() {
			v = tracker.Full
		} else {
			e.reservedPlaces++
		}
	}
	c.verdicts = append(c.verdicts, pendingVerdict{pair: pair, entry: e, fp: fp, verdict: v, place: -1})
	return v
}

// passes reports whether a verdict lets the point pass.
func (c *Cursor) passes(v tracker.Verdict) bool {
	return v.Passes() && !c.stale || v.IsMember()
}
