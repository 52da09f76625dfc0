package limit

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Mark is the attribute, with the value true, of a series that others were folded into.
// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#overflow-attribute
const Mark = "otel.metric.overflow"

func markValue() pcommon.Value { return pcommon.NewValueBool(true) }

// Decision is the decision on a point.
type Decision struct {
	Action Action
	// Limit is the first limit with the strongest action, or -1.
	Limit int
	// LostPlace is true if the series had a place and lost it. Then it may have left as itself.
	LostPlace bool
	// Horizon is the time, in ns since the epoch, until which lost places were forgotten.
	Horizon int64
	// Rule is the index of the rule for labels that folds the point if no limit does, or -1.
	Rule int
	// Baseline is true if the first value of the point's stream is not counted in any series.
	Baseline bool
	// Stream is the identity of the point's unchanged series.
	Stream uint64
	// Target is the identity of the series that the point is folded into, or 0. For Strip there is one per remaining label set,
	// for Overflow one per metric and resource of the key.
	Target uint64
	// Group is equal for targets with equal metadata, resource and scope. Metric is equal for those with an equal metric.
	Group, Metric uint64
}

// Decide decides on a point and gives its series places. A stale point passes if its series has a place, and never gets one.
//
// The limits decide in their order until one folds the point into an overflow series or drops it. Later limits do not decide on
// such a point. The overflow series gets one place under each of them, if one is free, and leaves in any case.
//
// The keys of the limits are locked from the first check to the last commit, one per limit and in the order of the limits.
func (c *Cursor) Decide(attrs pcommon.Map, stale bool) Decision {
	c.knownOnly = false
	d, _ := c.decide(attrs, stale)
	return d
}

// DecideKnown is Decide for a point whose series every limit knows that is asked. Otherwise it changes
// nothing and reports false. A stale point is always decided on.
func (c *Cursor) DecideKnown(attrs pcommon.Map, stale bool) (d Decision, known bool) {
	c.knownOnly = !stale || c.set.options.Cluster != nil
	return c.decide(attrs, stale)
}

// Stamp sets the stamp of the next points: a hash of value and start, which differs between an active stream and a repeated
// one.
func (c *Cursor) Stamp(stamp uint64) { c.stamp = stamp }

// Series returns the identity of the metric and the attributes of the last point, without its resource, because most limits
// count a series once for all pods.
func (c *Cursor) Series() uint64 { return c.set.hash.Point(c.metricHash, c.original) }

// Stream returns the identity of the stream of the last point.
func (c *Cursor) Stream() uint64 { return c.set.hash.Point(c.ownStreamID, c.original) }

func (c *Cursor) decide(attrs pcommon.Map, stale bool) (d Decision, known bool) {
	c.read(attrs)
	d = Decision{Limit: -1, Rule: -1}
	if !c.exempt {
		shared := c.Counts.Shared
		if c.ask(attrs, stale, &d); c.stranger {
			c.Counts.Shared = shared
			return d, false
		}
	}
	c.identify(&d)
	c.count(&d)
	return d, true
}

// count counts a decision.
func (c *Cursor) count(d *Decision) {
	if d.Rule >= 0 && c.isGauge() && c.set.limits[d.Rule].rule.dropsGauges {
		c.Counts.add(d.Rule, Drop)
		return
	}
	c.Counts.add(d.Limit, c.outcome(d.Action))
}

// outcome returns the counted action. A gauge that is not folded counts as dropped.
func (c *Cursor) outcome(a Action) Action {
	if (a == Strip || a == Overflow) && c.set.options.DropsGauges && c.isGauge() {
		return Drop
	}
	return a
}

func (c *Cursor) isGauge() bool { return c.metric.Type() == pmetric.MetricTypeGauge }

// ask decides on a point that is not exempt.
func (c *Cursor) ask(attrs pcommon.Map, stale bool, d *Decision) {
	limits := c.set.limits
	switch {
	case c.only && c.set.overflows >= 0: // folded points of another gateway join our overflow series
		d.Action, d.Limit = Overflow, c.set.overflows
	case c.marked && c.set.strips >= 0:
		d.Action, d.Limit = Strip, c.set.strips
	}
	for i := 0; i < len(limits) && d.Action < Overflow && !c.stranger; i++ {
		c.asked = i + 1
		if c.states[i].skip {
			continue
		}
		if limits[i].labels() {
			c.checkLabels(i, limits[i], attrs, stale, d)
		} else {
			c.checkSeries(i, limits[i], attrs, stale, d)
		}
	}
	if c.stranger || c.collecting {
		c.release()
		return
	}
	if d.Action >= Overflow {
		c.release() // a folded or dropped point gets no place
	}
	if d.Action == Overflow {
		c.giveOverflowPlace(d)
	}
	if !stale {
		c.commit()
	}
	c.release()
	c.reportOffences(attrs, stale)
}

// read hashes the attributes of a point.
func (c *Cursor) read(attrs pcommon.Map) {
	c.pairs, c.verdicts, c.offences = c.pairs[:0], c.verdicts[:0], c.offences[:0]
	c.marked, c.only, c.stranger, c.asked = false, false, false, 0
	if c.resourceTaken {
		c.resourceTaken = false
		for at := range c.resourcePairs {
			c.resourcePairs[at].taken = false
		}
	}
	var sum uint64
	for k, v := range attrs.All() {
		n := len(c.pairs)
		c.pairs = slices.Grow(c.pairs, 1)[:n+1] // what it was for a point before it still is
		p := &c.pairs[n]
		p.set(&c.set.hash, k, v)
		if p.pair == c.set.mark || p.pair == c.set.markText {
			c.marked, p.isMark, p.pair = true, true, c.set.mark
		}
		sum += p.pair
	}
	c.only = c.marked && len(c.pairs) == 1
	c.original, c.attributes = sum, sum
	if c.remains.rule >= 0 {
		c.dropLabels()
	}
}

// dropLabels removes the labels that the rule of the metric drops.
func (c *Cursor) dropLabels() {
	rule := c.remains.rule + 1
	for i := range c.pairs {
		p := &c.pairs[i]
		if p.rule != rule {
			p.rule, p.dropped = rule, c.Drops(p.key)
		}
		if p.dropped {
			p.taken = true
			c.attributes -= p.pair
		}
	}
}

// noteOver notes that a limit has no place for the point. Unknown means that a stale point's series has no place, although one is
// free.
func (c *Cursor) noteOver(i int, l *limit, unknown bool, d *Decision) {
	action := l.Action
	if unknown { // a stale point of a series without a place
		if l.Action == Tag {
			return // the points before have passed, too
		}
		action = Drop
	}
	if l.DryRun {
		if !c.collecting {
			c.Counts.observe(i, c.outcome(action))
		}
		return
	}
	if action > d.Action {
		d.Action, d.Limit = action, i
	}
}

// giveOverflowPlace gives the overflow series a place under each later limit with a free one. Its only attribute is the mark.
func (c *Cursor) giveOverflowPlace(d *Decision) {
	for i := d.Limit + 1; i < len(c.set.limits); i++ {
		l := c.set.limits[i]
		if l.labels() || c.states[i].skip {
			continue
		}
		g := &c.states[i]
		key, container := g.key[fromMetric], uint64(0)
		for range l.perLevel[fromAttribute] {
			key = c.set.hash.Combine(key, c.set.empty)
		}
		if l.Streams {
			container = c.set.hash.Combine(c.states[d.Limit].fold, c.metricHash)
			if c.set.limits[d.Limit].rule != nil {
				container = c.streamID
			}
		}
		fp := c.set.hash.Point(container, c.set.mark)
		if c.knows(l, &g.last, key, fp, d) {
			continue
		}
		e, shared := c.entry(i, l, key, noAttributes)
		if shared {
			fp = c.set.hash.Combine(key, fp)
			c.Counts.Shared++
		}
		c.check(-1, e, fp)
	}
}

var noAttributes = pcommon.NewMap()

// commit gives the point's series its places.
func (c *Cursor) commit() {
	for i := range c.verdicts {
		v := &c.verdicts[i]
		if v.pair >= 0 && c.pairAt(v.pair).taken {
			continue
		}
		if v.place >= 0 && !c.usePlace(v) {
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
	c.held, c.verdicts = c.held[:0], c.verdicts[:0]
}

// key returns the hash of the whole key. A removed label counts as a missing part.
func (c *Cursor) key(i int, l *limit) uint64 {
	key := c.states[i].key[fromMetric]
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
