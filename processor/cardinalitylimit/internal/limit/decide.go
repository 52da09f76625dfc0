package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Mark is the attribute, with the value true, of a series that others were folded
// into. https://opentelemetry.io/docs/specs/otel/metrics/sdk/#overflow-attribute
const Mark = "otel.metric.overflow"

func markValue() pcommon.Value { return pcommon.NewValueBool(true) }

// Outcome is the decision on a point.
type Outcome struct {
	Action Action
	// Limit decided: the first with the strongest action, or -1.
	Limit int
	// Horizon, in ns since the epoch: series that held a place until then may have
	// been forgotten, so the total of a stream begun before may have left already.
	Horizon int64
}

// Decide tells what becomes of a point and takes the places it needs. A stale point
// passes where it holds a place and never takes one.
//
// The locks of the keys concerned, one a limit and always in the order of the
// limits, are held from the first check to the last commit.
func (c *Cursor) Decide(attrs pcommon.Map, stale bool) Outcome {
	c.read(attrs)
	out := Outcome{Limit: -1}
	if c.exempt {
		c.Counts.add(out)
		return out
	}
	if c.only && c.set.overflows >= 0 {
		// What upstream has folded joins our series.
		out = Outcome{Action: Overflow, Limit: c.set.overflows}
		c.Counts.add(out)
		return out
	}
	if c.marked && !c.only && c.set.strips >= 0 {
		out = Outcome{Action: Strip, Limit: c.set.strips}
	}
	for i, l := range c.set.limits {
		if l.labels() {
			c.checkLabels(i, l, attrs, stale, &out)
		} else {
			c.checkSeries(i, l, attrs, stale, &out)
		}
	}
	if out.Action <= Strip && !stale {
		c.commit()
	}
	c.release()
	c.Counts.add(out)
	return out
}

// read hashes the attributes of a point.
func (c *Cursor) read(attrs pcommon.Map) {
	h := c.set.hash
	c.pairs, c.verdicts = c.pairs[:0], c.verdicts[:0]
	c.marked, c.only = false, false
	var sum uint64
	for k, v := range attrs.All() {
		p := pair{key: k, label: h.String(k), value: h.Value(v)}
		p.pair = h.PairOf(p.label, p.value)
		if p.pair == c.set.mark {
			c.marked, p.isMark = true, true
		}
		sum += p.pair
		c.pairs = append(c.pairs, p)
	}
	c.only = c.marked && len(c.pairs) == 1
	c.original, c.attributes = sum, sum
}

// checkLabels asks for a place for each label's value and takes away the labels
// that have none, if that is the action.
func (c *Cursor) checkLabels(i int, l *limit, attrs pcommon.Map, stale bool, out *Outcome) {
	if len(c.pairs) == 0 {
		return
	}
	key := c.key(i, l)
	s := l.trackers.shard(key)
	s.mu.Lock()
	c.held = append(c.held, &s.mu)
	over, unknown, shared := false, false, false
	for at := range c.pairs {
		p := &c.pairs[at]
		if p.isMark || p.taken {
			continue
		}
		id := c.set.hash.Combine(key, p.label)
		e, fp := s.keys[id], p.value
		if e == nil {
			e = l.trackers.add(s, id, l.places(c.value(attrs)), c.epoch, c.describe(l, attrs, p.key))
		}
		if e == nil {
			if !shared {
				l.trackers.shared.mu.Lock()
				c.held = append(c.held, &l.trackers.shared.mu)
				shared = true
			}
			e, fp = l.trackers.shared.keys[sharedKey], c.set.hash.Combine(id, fp)
			c.Counts.Shared++
		}
		v := c.check(at, e, fp)
		if passes(v, stale) {
			continue
		}
		over, unknown = true, unknown || v == tracker.Room
		if l.Action == Strip && !l.DryRun {
			c.take(p)
		}
	}
	if over {
		c.object(i, l, unknown, out)
	}
}

// take removes a label from the identity, which becomes a marked one.
func (c *Cursor) take(p *pair) {
	p.taken = true
	c.attributes -= p.pair
	if !c.marked {
		c.marked = true
		c.attributes += c.set.mark
	}
}

// checkSeries asks for a place for what is left of the identity.
func (c *Cursor) checkSeries(i int, l *limit, attrs pcommon.Map, stale bool, out *Outcome) {
	key := c.key(i, l)
	container := uint64(0)
	if l.Streams {
		container = c.streamID
	}
	fp := c.set.hash.Point(container, c.attributes)
	e, shared := c.entry(i, l, key, attrs)
	if shared {
		fp = c.set.hash.Combine(key, fp)
		c.Counts.Shared++
	}
	if !l.DryRun {
		out.Horizon = max(out.Horizon, e.forgot)
	}
	if v := c.check(-1, e, fp); !passes(v, stale) {
		c.object(i, l, v == tracker.Room, out)
	}
}

// entry finds or opens the tracker of a key and holds its lock.
func (c *Cursor) entry(i int, l *limit, key uint64, attrs pcommon.Map) (e *entry, shared bool) {
	g := &c.groups[i]
	s := l.trackers.shard(key)
	s.mu.Lock()
	if g.cached != nil && g.last == key && !g.cached.dead {
		c.held = append(c.held, &s.mu)
		return g.cached, false
	}
	e = s.keys[key]
	if e == nil {
		e = l.trackers.add(s, key, l.places(c.value(attrs)), c.epoch, c.describe(l, attrs, ""))
	}
	if e != nil {
		g.last, g.cached = key, e
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
	if v == tracker.Room && pair >= 0 && e.Size()+c.pending(e) >= e.Limit() {
		v = tracker.Full
	}
	c.verdicts = append(c.verdicts, verdict{pair: pair, entry: e, fp: fp, verdict: v})
	return v
}

func (c *Cursor) pending(e *entry) (n int) {
	for i := range c.verdicts {
		if c.verdicts[i].entry == e && c.verdicts[i].verdict == tracker.Room {
			n++
		}
	}
	return n
}

func passes(v tracker.Verdict, stale bool) bool {
	return v.Passes() && !stale || v.Holds()
}

// object records that a limit has no place for the point.
func (c *Cursor) object(i int, l *limit, unknown bool, out *Outcome) {
	action := l.Action
	if unknown {
		action = Drop // a stale point of a series that never had a place
	}
	if l.DryRun {
		c.Counts.observe(i, action)
		return
	}
	if action > out.Action {
		out.Action, out.Limit = action, i
	}
}

// commit takes the places of a point that leaves as its own series.
func (c *Cursor) commit() {
	for i := range c.verdicts {
		v := &c.verdicts[i]
		if v.pair >= 0 && c.pairs[v.pair].taken {
			continue
		}
		v.entry.Commit(v.fp, v.verdict)
	}
}

func (c *Cursor) release() {
	for i := len(c.held) - 1; i >= 0; i-- {
		c.held[i].Unlock()
	}
	c.held = c.held[:0]
}

// key is the hash of the whole key. A label that was taken away is a missing part.
func (c *Cursor) key(i int, l *limit) uint64 {
	key := c.groups[i].key[fromMetric]
	for _, p := range l.perLevel[fromAttribute] {
		value := c.set.empty
		for at := range c.pairs {
			if c.pairs[at].key == p.name && !c.pairs[at].taken {
				value = c.pairs[at].value
				break
			}
		}
		key = c.set.hash.Combine(key, value)
	}
	return key
}
