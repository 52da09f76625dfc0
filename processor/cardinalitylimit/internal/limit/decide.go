package limit

import (
	"slices"

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
	if c.marked && c.set.strips >= 0 {
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
	c.report(attrs)
	c.Counts.add(out)
	return out
}

// read hashes the attributes of a point.
func (c *Cursor) read(attrs pcommon.Map) {
	c.pairs, c.verdicts, c.offences = c.pairs[:0], c.verdicts[:0], c.offences[:0]
	c.marked, c.only = false, false
	var sum uint64
	for k, v := range attrs.All() {
		n := len(c.pairs)
		c.pairs = slices.Grow(c.pairs, 1)[:n+1] // what it was for a point before it still is
		p := &c.pairs[n]
		p.set(&c.set.hash, k, v)
		if p.pair == c.set.mark {
			c.marked, p.isMark = true, true
		}
		sum += p.pair
	}
	c.only = c.marked && len(c.pairs) == 1
	c.original, c.attributes = sum, sum
}

// object records that a limit has no place for the point.
func (c *Cursor) object(i int, l *limit, unknown bool, out *Outcome) {
	action := l.Action
	if unknown { // a stale point of a series that never had a place, or has lost it
		if l.Action == Tag {
			return // has passed all the same
		}
		action = Drop
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
	for i := range c.verdicts {
		if v := &c.verdicts[i]; v.verdict == tracker.Room {
			v.entry.promised = 0
		}
	}
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
