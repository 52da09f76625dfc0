package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// offence is that a series, or a label's value, found no place; it is told to the board when no lock is held.
type offence struct {
	pair int // of a label limit, otherwise -1
	offenders.Offence
}

// offend notes that limit i has no place for fp under key, which is that of a label where it counts values. The locks of
// the keys are held. A stale point wants no place.
//
// Offenders are metrics by their name, whatever the key: it is an instrument that somebody has to change.
func (c *Cursor) offend(i, pair int, key uint64, e *entry, fp uint64, stale bool) {
	if stale || c.set.options.Board == nil {
		return
	}
	h := &c.set.hash
	if c.nameHash == 0 {
		c.nameHash = h.String(c.metric.Name())
	}
	offender := h.Combine(key, c.nameHash)
	c.offences = append(c.offences, offence{pair, offenders.Offence{
		Limit: i, Offender: offender, Series: h.Combine(offender, fp), Held: e.Size(), Max: e.Limit(),
	}})
}

// report tells the board of the point's offences and of the labels that the refused series has; where values of a
// label are counted, of that label.
func (c *Cursor) report(attrs pcommon.Map) {
	for i := range c.offences {
		o := &c.offences[i]
		profile := c.set.options.Board.Note(o.Offence, func() offenders.Subject {
			return offenders.Subject{
				Metric: c.metric.Name(), Key: c.keyText(c.set.limits[o.Limit], attrs, fromMetric),
			}
		})
		if profile == nil {
			continue
		}
		if o.pair >= 0 {
			tell(profile, 0, &c.pairs[o.pair], attrs)
			continue
		}
		for at := range c.pairs {
			if p := &c.pairs[at]; !p.isMark && !p.taken {
				tell(profile, at, p, attrs)
			}
		}
	}
}

func tell(profile *offenders.Profile, at int, p *pair, attrs pcommon.Map) {
	if profile.Value(at, p.label, p.value, p.key) {
		profile.Example(at, p.label, p.key, valueText(attrs, p.key))
	}
}
