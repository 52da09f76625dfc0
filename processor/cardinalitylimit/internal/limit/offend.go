package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// offence is a series, or the value of a label, that found no place. The board learns of it after all locks are released.
type offence struct {
	pair int // number of the label for a limit on values, otherwise -1
	offenders.Offence
}

// offend notes that limit i has no place for fp under key. For a limit on values, key is that of the label. The caller holds
// the locks of the keys. A stale point wants no place.
//
// The offenders are metrics, because a person has to change an instrument. Keys that contain several metrics are offenders,
// too.
func (c *Cursor) offend(i, pair int, key uint64, e *entry, fp uint64) {
	if c.stale || c.set.options.Board == nil {
		return
	}
	h := &c.set.hash
	c.offences = append(c.offences, offence{pair, offenders.Offence{
		Limit: i, Key: c.set.limits[i].offenderKey(key), Offender: h.Combine(key, c.name()), Series: h.Combine(key, fp),
		Used: e.Size(), Max: e.Limit(),
	}})
}

// offenderKey returns the identity of a key as an offender, or 0 if the key contains the metric.
func (l *limit) offenderKey(key uint64) uint64 {
	if len(l.perLevel[fromMetric]) > 0 {
		return 0
	}
	return key
}

// name returns the hash of the metric's name.
func (c *Cursor) name() uint64 {
	if c.nameHash == 0 {
		c.nameHash = c.set.hash.String(c.metric.Name())
	}
	return c.nameHash
}

// reportOffences passes the offences of the point to the board. It also adds the labels of the point's series to the profiles
// of its offenders. For a limit on values it adds only the label of the offence.
func (c *Cursor) reportOffences(attrs pcommon.Map) {
	for i := range c.offences {
		o := &c.offences[i]
		profiles := c.set.options.Board.Note(o.Offence, func() offenders.Subject {
			return offenders.Subject{
				Metric: c.metric.Name(), Key: c.keyText(c.set.limits[o.Limit], attrs, fromMetric),
			}
		})
		if o.pair >= 0 {
			p := c.pairAt(o.pair)
			for _, profile := range [...]*offenders.Profile{profiles.Metric, profiles.Key} {
				if v := (offenders.Value{Label: p.label, Hash: p.value, Name: p.key}); profile != nil && profile.Add(&v) {
					profile.Example(&v, c.valueAt(o.pair, attrs))
				}
			}
			continue
		}
		if st := &c.states[o.Limit]; !st.profilesByPoint && profiles != st.profiles {
			st.profiles, c.profiled = profiles, true
		}
	}
	if c.profiled && !c.stale {
		c.describeSeries(attrs)
	}
}

func addValue(profile *offenders.Profile, v *offenders.Value, from pcommon.Map) {
	if profile != nil && profile.Add(v) {
		profile.Example(v, valueText(from, v.Name))
	}
}

// valueAt returns the value of the label with number at, see pairAt.
func (c *Cursor) valueAt(at int, attrs pcommon.Map) string {
	if at < len(c.pairs) {
		return valueText(attrs, c.pairs[at].key)
	}
	return valueText(c.resource.Attributes(), c.resourcePairs[at-len(c.pairs)].name)
}
