package limit

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// identify sets what the decision says about the identities of the point at hand.
func (c *Cursor) identify(d *Decision) {
	h := &c.set.hash
	d.Stream = c.Stream()
	if d.Rule = c.remains.rule; d.Rule >= 0 && (d.Action <= Tag || d.Limit == d.Rule) {
		c.mergeIDs(d)
		return
	}
	switch d.Rule = -1; d.Action {
	case Strip:
		g := &c.groups[d.Limit]
		stream, scope := c.left()
		d.Target = h.Point(h.Combine(g.foldMetadata, stream), c.attributes)
		d.Group, d.Metric = h.Combine(g.foldMetadata, scope), c.metricHash
	case Overflow:
		g := &c.groups[d.Limit]
		d.Target = h.Combine(g.fold, c.metricHash)
		d.Group, d.Metric = g.fold, c.metricHash
	}
}

// Writer is the identity of the metric at hand where it comes from: resource, scope and
// metric. It is 0 where no limit sees the metric.
func (c *Cursor) Writer() uint64 {
	if c.exempt {
		return 0
	}
	return c.streamID
}

// Now is our time at the beginning of the batch, in ns since the epoch.
func (c *Cursor) Now() int64 { return c.now }

// Taken tells whether attribute i of the point at hand has been taken away.
func (c *Cursor) Taken(i int) bool { return c.pairs[i].taken }

// TargetResource writes the resource attributes that an overflow series of a limit
// inherits: the resource parts of its key, as far as the resource has them.
func (c *Cursor) TargetResource(limit int, dest pcommon.Map) {
	for _, p := range c.set.limits[limit].fold {
		if p.source != fromResource {
			continue
		}
		if v, ok := c.resource.Attributes().Get(p.name); ok {
			v.CopyTo(dest.PutEmpty(p.name))
		}
	}
}

// TargetMetadata is the client metadata that is part of a limit's key: what is
// folded under it leaves under it. Nil where the key has none.
func (c *Cursor) TargetMetadata(limit int) map[string][]string {
	var md map[string][]string
	for _, p := range c.set.limits[limit].fold {
		if p.source != fromMetadata {
			continue
		}
		if values := c.header(p.name); len(values) > 0 {
			if md == nil {
				md = make(map[string][]string)
			}
			md[p.name] = values
		}
	}
	return md
}

// AllMetadata is TargetMetadata of all limits together.
func (c *Cursor) AllMetadata() map[string][]string {
	var all map[string][]string
	for i := range c.set.limits {
		for name, values := range c.TargetMetadata(i) {
			if all == nil {
				all = make(map[string][]string)
			}
			all[name] = values
		}
	}
	return all
}

// value returns how to read a part of the key of the point at hand.
func (c *Cursor) value(attrs pcommon.Map) func(Part) string {
	return func(p Part) string { return c.text(p, attrs) }
}

// describe says how many places key has, which is that of the point at hand under limit i, and what a person calls it.
// Both depend on the key alone: a point of many labels asks once.
func (c *Cursor) describe(i int, l *limit, key uint64, attrs pcommon.Map) *description {
	d := &c.groups[i].described
	if d.places == 0 || d.key != key {
		places, override := l.places(c.value(attrs))
		*d = description{key, places, override, c.keyText(l, attrs, sources)}
	}
	return d
}

// keyText describes the key of the current point for a person. It leaves out empty parts and those of one source, and
// clips each value, as senders choose how long they are.
func (c *Cursor) keyText(l *limit, attrs pcommon.Map, without source) string {
	var b strings.Builder
	for _, p := range l.Key {
		value := c.text(p, attrs)
		if p.source == without || value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p.String() + "=" + offenders.Clip(value))
	}
	return b.String()
}
