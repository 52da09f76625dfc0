package limit

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/streamid"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// findProfiles finds the profiles of the offenders that the metric at hand belongs to.
func (c *Cursor) findProfiles() {
	c.profiled = false
	board := c.set.options.Board
	exist := board != nil && board.HasProfiles()
	for i, l := range c.set.limits {
		st := &c.states[i]
		st.profiles, st.profilesByPoint = offenders.Pair{}, false
		if !exist || st.skip || l.labels() {
			continue
		}
		if len(l.perLevel[fromAttribute]) > 0 {
			st.profilesByPoint, c.profiled = true, true
			continue
		}
		key := st.key[fromMetric]
		if st.profiles = board.Find(l.offenderKey(key), c.set.hash.Combine(key, c.name())); st.profiles != (offenders.Pair{}) {
			c.profiled = true
		}
	}
}

// describeSeries adds the labels of the series at hand to the profiles of its offenders, whether or not the series has a place.
func (c *Cursor) describeSeries(attrs pcommon.Map) {
	for i, l := range c.set.limits[:c.checkedLimits] {
		st := &c.states[i]
		if st.skip || l.labels() {
			continue
		}
		profiles := st.profiles
		if st.profilesByPoint {
			key := c.key(i, l)
			profiles = c.set.options.Board.Find(l.offenderKey(key), c.set.hash.Combine(key, c.name()))
		}
		if profiles.Metric != nil {
			c.addLabels(profiles.Metric, l, attrs)
		}
		if profiles.Key != nil {
			if l.Streams {
				addValue(profiles.Key, &offenders.Value{Label: c.set.metricLabel, Hash: c.name(), Name: metricName}, noAttributes)
			}
			c.addLabels(profiles.Key, l, attrs)
		}
	}
}

const metricName = "metric.name"

// addLabels adds the labels of the series at hand to a profile: those of the point and, if the limit counts streams, those of
// the resource that are not part of the key.
func (c *Cursor) addLabels(profile *offenders.Profile, l *limit, attrs pcommon.Map) {
	w := whatIf{asked: profile.WhatIf(), hash: &c.set.hash, attributes: c.attributes}
	if l.Streams {
		c.readResource()
		w.resource, w.inner = c.resourceSum, c.set.hash.Combine(c.metricHash, c.scopeName)
	}
	has := uint32(0)
	for at := range c.pairs {
		p := &c.pairs[at]
		if p.isMark || p.removed {
			continue
		}
		v := offenders.Value{At: at, Label: p.label, Hash: p.value, Name: p.key, Without: w.without(0, p.pair)}
		addValue(profile, &v, attrs)
		if v.At >= 0 {
			has |= 1 << v.At
		}
	}
	if l.Streams {
		for at := range c.resourcePairs {
			p := &c.resourcePairs[at]
			if p.removed || slices.Contains(l.perLevel[fromResource], Part{fromResource, p.name}) {
				continue
			}
			v := offenders.Value{At: len(c.pairs) + at, Label: p.label, Hash: p.value, Name: p.key, Without: w.without(p.pair.pair, 0)}
			if profile.Add(&v) {
				profile.Example(&v, valueText(c.resource.Attributes(), p.name))
			}
			if v.At >= 0 {
				has |= 1 << v.At
			}
		}
	}
	if w.asked {
		profile.AddLacking(has, w.without(0, 0))
	}
}

// resourcePair is an attribute of the resource at hand as a label of a stream. Its key is the name with the prefix "resource.".
type resourcePair struct {
	pair
	name string
}

// readResource hashes the attributes of the resource at hand and the name of the scope, once.
func (c *Cursor) readResource() {
	if c.resourceRead {
		return
	}
	c.resourceRead, c.resourceSum, c.resourcePairs = true, 0, c.resourcePairs[:0]
	h := &c.set.hash
	c.scopeName = h.String(c.scope.Name())
	for name, v := range c.resource.Attributes().All() {
		p := resourcePair{name: name, pair: pair{key: resourcePrefix + name, value: h.Value(v)}}
		p.label = h.String(p.key)
		p.pair.pair = h.PairOf(p.label, p.value)
		c.resourceSum += p.pair.pair
		c.resourcePairs = append(c.resourcePairs, p)
	}
}

const resourcePrefix = "resource."

// whatIf computes the identities that a series would have without one of its labels.
type whatIf struct {
	asked bool
	hash  *streamid.Hasher
	// resource and attributes are sums of pairs. inner is the identity of the metric and the scope's name.
	resource, inner, attributes uint64
}

// without returns the identity of the series without a pair of the resource, or without one of the attributes. Each is given as
// its summand. It returns 0 if the profile has no subscriber.
func (w *whatIf) without(resource, attributes uint64) uint64 {
	if !w.asked {
		return 0
	}
	return w.hash.Point(w.hash.Combine(w.resource-resource, w.inner), w.attributes-attributes) | 1
}
