package limit

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
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
	c.ReadAgain(attrs)
	var d Decision
	c.decide(&d, attrs, stale)
	return d
}

// DecideKnown is Decide for the last read point, if every limit that decides knows its series. Then it sets d. Otherwise it
// changes nothing else and returns false. It always decides on a stale point.
func (c *Cursor) DecideKnown(d *Decision, attrs pcommon.Map, stale bool) (known bool) {
	c.knownOnly = !stale || c.set.options.Cluster != nil
	return c.decide(d, attrs, stale)
}

// SetStamp sets the stamp of the next points: a hash of value and start, which differs between an active stream and a repeated
// one.
func (c *Cursor) SetStamp(stamp uint64) { c.stamp = stamp }

// Series returns the identity of the metric and the attributes of the last point, without its resource, because most limits
// count a series once for all pods.
func (c *Cursor) Series() uint64 { return c.set.hash.Point(c.metricHash, c.original) }

// Stream returns the identity of the stream of the last point.
func (c *Cursor) Stream() uint64 { return c.set.hash.Point(c.ownStreamID, c.original) }

func (c *Cursor) decide(d *Decision, attrs pcommon.Map, stale bool) (known bool) {
	*d = Decision{Limit: -1, Rule: -1}
	c.stale = stale
	if !c.exempt {
		shared := c.Counts.Shared
		if c.decideByLimits(attrs, d); c.stranger {
			c.Counts.Shared = shared
			return false
		}
	}
	c.identify(d)
	c.count(d)
	return true
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

// decideByLimits decides on a point that is not exempt.
func (c *Cursor) decideByLimits(attrs pcommon.Map, d *Decision) {
	limits := c.set.limits
	known := c.knownID()
	if known != 0 && c.set.known.has(known) {
		return
	}
	switch {
	case c.onlyMark && c.set.overflows >= 0: // folded points of another gateway join our overflow series
		d.Action, d.Limit = Overflow, c.set.overflows
	case c.marked && c.set.strips >= 0:
		d.Action, d.Limit = Strip, c.set.strips
	}
	for i := 0; i < len(limits) && d.Action < Overflow && !c.stranger; i++ {
		c.checkedLimits = i + 1
		if c.states[i].skip {
			continue
		}
		if limits[i].labels() {
			c.checkLabels(i, limits[i], attrs, d)
		} else {
			c.checkSeries(i, limits[i], attrs, d)
		}
	}
	if c.stranger || c.collecting {
		c.release()
		return
	}
	if len(c.held) == 0 && d.Action < Overflow && !c.profiled { // every limit knows the series
		if known != 0 {
			c.set.known.add(known)
		}
		return
	}
	if d.Action >= Overflow {
		c.release() // a folded or dropped point gets no place
	}
	if d.Action == Overflow {
		c.giveOverflowPlace(d)
	}
	if !c.stale {
		c.commit()
	}
	c.release()
	c.reportOffences(attrs)
}

// knownID returns the identity of the point at hand for knownSeries, or 0 if each limit must be asked. A marked point joins a folded
// series.
func (c *Cursor) knownID() uint64 {
	if c.known == 0 || c.marked {
		return 0
	}
	id := c.set.hash.Point(c.known, c.original)
	for _, i := range c.set.keyedByPoint { // a name that occurs twice has one set of attributes, but two keys
		id = c.set.hash.Combine(id, c.key(i, c.set.limits[i]))
	}
	return id
}

// Read moves to a point with these attributes. It hashes only the attributes that differ from those of the point before.
// Neighbours often have the same labels and many of the same values, and a comparison costs a third of a hash. It returns false
// if the attributes exceed a bound. Then no decision may follow before the next Read.
func (c *Cursor) Read(attrs pcommon.Map, b *oversize.Bounds) (within bool) {
	n := attrs.Len()
	if n > b.Attributes {
		return false
	}
	c.verdicts, c.offences = c.verdicts[:0], c.offences[:0]
	c.marked, c.onlyMark, c.stranger, c.checkedLimits = false, false, false, 0
	if c.resourceReduced {
		c.resourceReduced = false
		for at := range c.resourcePairs {
			c.resourcePairs[at].removed = false
		}
	}
	pairs := slices.Grow(c.pairs[:0], n)[:n] // they still contain the attributes of an earlier point
	c.pairs = pairs
	var sum uint64
	at, marked := 0, false
	for k, v := range attrs.All() {
		p, text := &pairs[at], v.Str() // empty if the value is no text
		if len(k) > b.NameBytes || len(text) > b.TextBytes || text == "" && !b.Allow(v) {
			return false
		}
		if p.removed = false; text == "" || p.text != text || p.key != k {
			c.set.hashPair(p, k, text, v)
		}
		marked = marked || p.isMark
		sum += p.pair
		at++
	}
	c.marked = marked
	c.onlyMark = c.marked && n == 1
	c.original, c.attributes = sum, sum
	if c.remaining.rule >= 0 {
		c.dropLabels()
	}
	return true
}

// ReadAgain is Read for a point whose attributes are within their bounds.
func (c *Cursor) ReadAgain(attrs pcommon.Map) {
	unbounded := (&oversize.Limits{}).Bounds()
	c.Read(attrs, &unbounded)
}

// dropLabels removes the labels that the rule of the metric drops.
func (c *Cursor) dropLabels() {
	rule := int32(c.remaining.rule + 1) //nolint:gosec // a configuration has few rules
	for i := range c.pairs {
		p := &c.pairs[i]
		if p.rule != rule {
			p.rule, p.dropped = rule, c.Drops(p.key)
		}
		if p.dropped {
			p.removed = true
			c.attributes -= p.pair
		}
	}
}

// noteOver notes that a limit has no place for the point. Unknown means that a stale point's series has no place, although one
// is free.
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
		st := &c.states[i]
		key, container := st.key[fromMetric], uint64(0)
		for range l.perLevel[fromAttribute] {
			key = c.set.hash.Combine(key, c.set.empty)
		}
		if l.Streams {
			container = c.set.hash.Combine(c.states[d.Limit].overflow, c.metricHash)
			if c.set.limits[d.Limit].rule != nil {
				container = c.streamID
			}
		}
		fp := c.set.hash.Point(container, c.set.mark)
		if c.knows(&st.last, key, fp) {
			continue
		}
		e, _, shared := c.entry(i, l, key, noAttributes)
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
		if v.pair >= 0 && c.pairAt(v.pair).removed {
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
			v.entry.reservedPlaces = 0
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
			if c.pairs[at].key == p.name && !c.pairs[at].removed {
				value = c.pairs[at].value
				break
			}
		}
		key = c.set.hash.Combine(key, value)
	}
	return key
}
