package limit

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// identify sets the identities in the decision on the point at hand.
func (c *Cursor) identify(d *Decision) {
	h := &c.set.hash
	d.Stream = c.Stream()
	if d.Rule = c.remaining.rule; d.Rule >= 0 && (d.Action <= Tag || d.Limit == d.Rule) {
		c.mergeIDs(d)
		return
	}
	switch d.Rule = -1; d.Action {
	case Strip:
		st := &c.states[d.Limit]
		stream, scope := c.remainingIDs()
		d.Target = h.Point(h.Combine(st.overflowMetadata, stream), c.attributes)
		d.Group, d.Metric = h.Combine(st.overflowMetadata, scope), c.metricHash
	case Overflow:
		st := &c.states[d.Limit]
		d.Target = h.Combine(st.overflow, c.metricHash)
		d.Group, d.Metric = st.overflow, c.metricHash
	}
}

// Writer returns the identity of the metric at hand with its resource and scope. It returns 0 if the metric is exempt.
func (c *Cursor) Writer() uint64 {
	if c.exempt {
		return 0
	}
	return c.streamID
}

// Now returns our time at the beginning of the batch, in ns since the epoch.
func (c *Cursor) Now() int64 { return c.now }

// IsRemoved reports whether attribute i of the point at hand has been removed.
func (c *Cursor) IsRemoved(i int) bool { return c.pairs[i].removed }

// TargetResource writes the resource attributes of an overflow series of a limit: the resource parts of its key that the
// resource has.
func (c *Cursor) TargetResource(limit int, dest pcommon.Map) {
	for _, p := range c.set.limits[limit].overflowParts {
		if p.source != fromResource {
			continue
		}
		if v, ok := c.resource.Attributes().Get(p.name); ok {
			v.CopyTo(dest.PutEmpty(p.name))
		}
	}
}

// TargetMetadata returns the client metadata in a limit's key, or nil. The folded series leave with it.
func (c *Cursor) TargetMetadata(limit int) map[string][]string {
	var md map[string][]string
	for _, p := range c.set.limits[limit].overflowParts {
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

// AllMetadata returns TargetMetadata of all limits together.
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

// value returns a function that reads a part of the key of the point at hand.
func (c *Cursor) value(attrs pcommon.Map) func(Part) string {
	return func(p Part) string { return c.text(p, attrs) }
}

// describe returns the number of places, the override and the text of key, which is the key of the point at hand under limit i.
// They depend only on the key, so they are computed once for a point of many labels.
func (c *Cursor) describe(i int, l *limit, key uint64, attrs pcommon.Map) *description {
	d := &c.states[i].described
	if d.places == 0 || d.key != key {
		places, override := l.places(c.value(attrs))
		*d = description{key, places, override, c.keyText(l, attrs, sources)}
	}
	return d
}

// keyText returns a text of the key at hand. It omits empty parts and those of one source. It clips each value, because senders
// choose the length.
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
