package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// offence is that a series, or a label's value, found no place. The board learns of it when no lock is held.
type offence struct {
	pair int // of a label limit, otherwise -1
	offenders.Offence
}

// offend notes that limit i has no place for fp under key, which is that of a label where it counts values. The locks of
// the keys are held. A stale point wants no place.
//
// Offenders are metrics by their name: it is an instrument that somebody has to change. Keys that contain several
// metrics are offenders too.
func (c *Cursor) offend(i, pair int, key uint64, e *entry, fp uint64, stale bool) {
	if stale || c.set.options.Board == nil {
		return
	}
	h := &c.set.hash
	c.offences = append(c.offences, offence{pair, offenders.Offence{
		Limit: i, Key: c.set.limits[i].keyOf(key), Offender: h.Combine(key, c.name()), Series: h.Combine(key, fp),
		Used: e.Size(), Max: e.Limit(),
	}})
}

// keyOf is the identity of a key that is an offender by itself: 0 where it contains the metric.
func (l *limit) keyOf(key uint64) uint64 {
	if len(l.perLevel[fromMetric]) > 0 {
		return 0
	}
	return key
}

// name is the hash of the metric's name.
func (c *Cursor) name() uint64 {
	if c.nameHash == 0 {
		c.nameHash = c.set.hash.String(c.metric.Name())
	}
	return c.nameHash
}

// report tells the board of the point's offences, and of the labels of each series that wants a place under an
// offender; where values of a label are counted, of that label.
func (c *Cursor) report(attrs pcommon.Map, stale bool) {
	for i := range c.offences {
		o := &c.offences[i]
		watched := c.set.options.Board.Note(o.Offence, func() offenders.Subject {
			return offenders.Subject{
				Metric: c.metric.Name(), Key: c.keyText(c.set.limits[o.Limit], attrs, fromMetric),
			}
		})
		if o.pair >= 0 {
			p := c.pairAt(o.pair)
			for _, profile := range [...]*offenders.Profile{watched.Metric, watched.Key} {
				if v := (offenders.Value{Label: p.label, Hash: p.value, Name: p.key}); profile != nil && profile.Add(&v) {
					profile.Example(&v, c.valueAt(o.pair, attrs))
				}
			}
			continue
		}
		if g := &c.groups[o.Limit]; !g.watchPoint && watched != g.watched {
			g.watched, c.watching = watched, true
		}
	}
	if c.watching && !stale {
		c.describeSeries(attrs)
	}
}

func tell(profile *offenders.Profile, v *offenders.Value, from pcommon.Map) {
	if profile != nil && profile.Add(v) {
		profile.Example(v, valueText(from, v.Name))
	}
}

// valueAt is the text of the label that has number at, see pairAt.
func (c *Cursor) valueAt(at int, attrs pcommon.Map) string {
	if at < len(c.pairs) {
		return valueText(attrs, c.pairs[at].key)
	}
	return valueText(c.resource.Attributes(), c.resourcePairs[at-len(c.pairs)].name)
}
