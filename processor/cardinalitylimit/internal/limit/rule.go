package limit

import (
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Rule removes labels from metrics. All points of a matched metric are folded into the remaining series, with or without the
// label, so that no two writers share a series. The first matching rule applies.
type Rule struct {
	Match
	// Labels selects attributes of points, ResourceLabels attributes of resources.
	Labels, ResourceLabels Selection
	DropsGauges            bool // gauges are dropped and not folded
	MaxStreams             int  // incoming streams that are folded under their own labels; others go to an overflow series
}

// Selection selects the names that a rule keeps or drops. The zero value keeps all.
type Selection struct {
	Names Names
	Keep  bool // Names are kept and others dropped; otherwise Names are dropped
}

// rule is a compiled Rule. It belongs to a limit that counts its streams.
type rule struct {
	match            matcher
	labels, resource selector
	dropsGauges      bool
}

func (s Selection) compile() selector { return selector{newNameCache(s.Names), s.Keep} }

// selector is a compiled Selection.
type selector struct {
	nameCache
	keep bool
}

func (s *selector) drops(name string) bool { return len(s.patterns) > 0 && s.has(name) != s.keep }

// ruleName returns the name of rule i as a limit.
func ruleName(i int) string { return fmt.Sprintf("%s%d", RulePrefix, i) }

// RulePrefix is the beginning of the names of rules.
const RulePrefix = "labels::"

func (r *Rule) spec(i int) Spec {
	return Spec{Name: ruleName(i), Streams: true, MaxSeries: r.MaxStreams, Action: Overflow, rule: &rule{
		match:       r.compile(),
		labels:      r.Labels.compile(),
		resource:    r.ResourceLabels.compile(),
		dropsGauges: r.DropsGauges,
	}}
}

// remainingResource is the resource that a rule leaves.
type remainingResource struct {
	rule     int    // index of the rule's limit; -1: no rule
	resource uint64 // identity of the remaining resource
	reduced  bool   // an attribute was dropped
}

// keepsResource reports whether an attribute of the resource stays. If one is removed, several instances become one. Then
// service.instance.id is removed, too, because it names only one of them.
func (c *Cursor) keepsResource(name string) bool {
	return !c.set.limits[c.remaining.rule].rule.resource.drops(name) && (!c.remaining.reduced || name != instanceID)
}

// applyRule finds the rule of the metric at hand, and sets the remaining identities of its resource and scope.
func (c *Cursor) applyRule() {
	found := -1
	for i := 0; i < len(c.set.rules) && !c.exempt; i++ {
		if c.set.limits[i].rule.match.matches(c) {
			found = i
			break
		}
	}
	c.ownStreamID, c.remainingScopeID = c.streamID, c.scopeID
	if found != c.remaining.rule {
		c.remaining = remainingResource{rule: found}
		if found >= 0 {
			c.reduceResource()
		}
	}
	if c.remaining.reduced {
		c.remainingScopeID = c.set.hash.Scope(c.remaining.resource, c.scope)
		c.streamID = c.set.hash.Combine(c.remainingScopeID, c.metricHash)
	}
}

func (c *Cursor) reduceResource() {
	drops := &c.set.limits[c.remaining.rule].rule.resource
	for name := range c.resource.Attributes().All() {
		c.remaining.reduced = c.remaining.reduced || drops.drops(name)
	}
	if !c.remaining.reduced {
		return
	}
	sum := c.set.hash.String(RulePrefix)
	for name, v := range c.resource.Attributes().All() {
		if c.keepsResource(name) {
			sum += c.set.hash.Pair(name, v)
		}
	}
	c.remaining.resource = c.set.hash.Combine(c.set.hash.String(instanceID), sum)
}

// remainingIDs returns the identities of the metric and of the scope at hand with the remaining resource: after a rule, and
// without the attributes that a limit on values has removed from the point.
func (c *Cursor) remainingIDs() (stream, scope uint64) {
	if !c.resourceReduced {
		return c.streamID, c.remainingScopeID
	}
	h := &c.set.hash
	sum := h.String(RulePrefix)
	for at := range c.resourcePairs {
		if p := &c.resourcePairs[at]; c.attributeStays(p.name, at) {
			sum += h.PairOf(h.String(p.name), p.value)
		}
	}
	scope = h.Scope(h.Combine(h.String(instanceID), sum), c.scope)
	return h.Combine(scope, c.metricHash), scope
}

// attributeStays reports whether attribute at of the resource stays if another one is removed.
func (c *Cursor) attributeStays(name string, at int) bool {
	return name != instanceID && (c.remaining.rule < 0 || c.keepsResource(name)) && (!c.resourceReduced || !c.resourcePairs[at].removed)
}

// RemainingResource writes the remaining resource of the point at hand: after a rule, and without the attributes that a limit
// on values has removed. Instance is the value of service.instance.id if several instances became one.
func (c *Cursor) RemainingResource(dest pcommon.Map, instance string) {
	if !c.remaining.reduced && !c.resourceReduced {
		c.resource.Attributes().CopyTo(dest)
		return
	}
	at := -1
	for name, v := range c.resource.Attributes().All() {
		if at++; c.attributeStays(name, at) {
			v.CopyTo(dest.PutEmpty(name))
		}
	}
	dest.PutStr(instanceID, instance)
}

// HasRule reports whether a rule applies to the metric at hand.
func (c *Cursor) HasRule() bool { return c.remaining.rule >= 0 }

// Rule returns the index of the rule of the metric at hand, or -1.
func (c *Cursor) Rule() int { return c.remaining.rule }

// Drops reports whether the rule of the metric at hand drops an attribute of its points.
func (c *Cursor) Drops(name string) bool {
	return c.remaining.rule >= 0 && name != Mark && c.set.limits[c.remaining.rule].rule.labels.drops(name)
}

// FoldIntoOverflow changes the decision on the point at hand, which a rule folds. The point goes to the rule's overflow series, because
// there is no memory for another series.
func (c *Cursor) FoldIntoOverflow(d *Decision) {
	d.Action, d.Limit = Overflow, d.Rule
	c.identify(d)
}

// mergeIDs sets the identities of the series into which a rule folds the point at hand.
func (c *Cursor) mergeIDs(d *Decision) {
	h := &c.set.hash
	attributes := c.attributes
	switch d.Action {
	case Overflow:
		attributes, d.Baseline = c.set.mark, true
	case Tag:
		attributes += h.Combine(math.MaxUint64, c.set.limits[d.Limit].seed)
	}
	d.Target = h.Point(h.Combine(c.allMetadata, c.streamID), attributes)
	d.Group, d.Metric = h.Combine(c.allMetadata, c.remainingScopeID), c.metricHash
}
