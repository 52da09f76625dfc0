package limit

import (
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Cursor decides on the points of one batch. The caller calls Resource, Scope and Metric as they come, and Decide for each
// point. The cursor keeps the hashes that the points of a metric share, so that the cost of a point is that of its own
// attributes. It is not safe for concurrent use. Each batch needs a cursor of its own.
type Cursor struct {
	// Counts counts the points since Begin.
	Counts Counts

	set             *Set
	now, generation int64

	metadata Metadata
	slot     int64 // slot of our clock, see doorkeeper
	// allMetadata is the hash of the client's metadata that is part of any key.
	allMetadata uint64
	position
	savedPositions []position    // by Save
	savedStates    []metricState // for each element of saved, one per limit

	states []limitState // one per limit

	// The fields below are about the point at hand.
	attributes       uint64 // sum of the pairs without removed labels
	original         uint64 // sum of all pairs
	pairs            []pair
	verdicts         []pendingVerdict
	held             []*sync.Mutex
	offences         []offence
	marked, onlyMark bool
	stamp            uint64 // see SetStamp
	stale            bool   // the point has no recorded value
	knownOnly        bool   // see DecideKnown
	stranger         bool   // a limit does not know the series, and knownOnly is set
	clusterWants
	checkedLimits int // number of limits that have checked the point

	// The fields below are about the resource and the scope at hand. They are valid if resourceRead is true. See readResource.
	resourceRead           bool
	resourceReduced        bool // an attribute of the resource was removed for the point at hand
	resourcePairs          []resourcePair
	resourceSum, scopeName uint64
}

// limitState is the state of a limit for the points at hand.
type limitState struct {
	metricState
	overflowMetadata uint64   // the part of overflow from the client's metadata
	last             recent   // tracker of the point before, which may be of the batch before
	labels           []recent // trackers of its labels, by position
	described        description
}

// description is the number of places, the override and the text of a key.
type description struct {
	key      uint64
	places   int // 0: not computed yet
	override int // index of the override that applies, or noOverride
	text     string
}

// recent is the entry of the last point.
type recent struct {
	id    uint64
	entry *entry // nil: none
}

// label returns the entry of the last label at a position.
func (st *limitState) label(at int) *recent {
	for len(st.labels) <= at {
		st.labels = append(st.labels, recent{})
	}
	return &st.labels[at]
}

// pair is an attribute of the point at hand. It has the size of a cache line.
type pair struct {
	key     string
	text    string // the value; empty if it is no text
	label   uint64 // hash of the key, 0 before the first
	value   uint64 // hash of the value
	pair    uint64 // hash of both
	isMark  bool   // the pair is the mark
	removed bool   // from the identity of the point
	dropped bool   // the rule with that index drops the label
	rule    int32  // index of the rule plus one; 0: not computed yet
}

// hashPair sets p to an attribute that differs from the one of the point before. Text is the value; it is empty if the value is
// no text.
func (s *Set) hashPair(p *pair, key, text string, v pcommon.Value) {
	h := &s.hash
	if p.label == 0 || p.key != key {
		p.key, p.label, p.rule = key, h.String(key), 0
	}
	if p.text = text; text != "" {
		p.value = h.Text(text)
	} else {
		p.value = h.Value(v)
	}
	p.pair = h.PairOf(p.label, p.value)
	if p.isMark = p.pair == s.mark || p.pair == s.markText; p.isMark {
		p.pair = s.mark
	}
}

// pendingVerdict is the verdict of a tracker on the point. It is committed after all limits have decided.
type pendingVerdict struct {
	pair    int // number of the label for a limit on values, otherwise -1
	entry   *entry
	fp      uint64
	verdict tracker.Verdict
	place   int // index in Cursor.places for a place that is shared with other gateways, otherwise -1
}

// Begin returns a cursor for a batch. End must be called afterwards. Md may be nil if NeedsMetadata returns false.
func (s *Set) Begin(md Metadata) *Cursor {
	c, ok := s.cursors.Get().(*Cursor)
	if !ok {
		c = &Cursor{set: s, states: make([]limitState, len(s.limits))}
		c.Counts.init(len(s.limits))
	}
	c.now, c.generation, c.slot = s.tick()
	c.metadata, c.allMetadata, c.remaining.rule = md, 0, -1
	s.neededMetadata.note(md)
	for i, l := range s.limits {
		st := &c.states[i]
		st.key[fromMetadata] = c.extendKey(l, fromMetadata, l.seed, pcommon.Map{})
		st.overflowMetadata = c.overflowHash(l, fromMetadata, 0)
		c.allMetadata = s.hash.Combine(c.allMetadata, st.overflowMetadata)
	}
	return c
}

// End returns the cursor to the pool. The caller must not use it or its results afterwards.
func (c *Cursor) End() {
	c.Counts.reset()
	c.metadata = nil
	c.finishCluster()
	c.position = position{}
	c.forgetSaved()
	clear(c.pairs[:cap(c.pairs)]) // they refer to strings of the batch
	clear(c.verdicts[:cap(c.verdicts)])
	clear(c.resourcePairs[:cap(c.resourcePairs)])
	c.resourceRead = false
	for i := range c.states { // the recent entries stay: the next batch often has the same keys
		c.states[i].described, c.states[i].profiles = description{}, offenders.Pair{}
	}
	if cap(c.pairs) <= maxPooled {
		c.set.cursors.Put(c)
	}
}

// maxPooled is the maximum number of attributes per point for which a pooled cursor has memory. Its other memory is
// proportional.
const maxPooled = 1024

// Resource moves to a resource.
func (c *Cursor) Resource(r pcommon.Resource) {
	c.resource = r
	c.resourceRead = false
	c.resourceID, c.remaining = c.set.hash.Resource(r), remainingResource{rule: -1}
	for i, l := range c.set.limits {
		st := &c.states[i]
		st.key[fromResource] = c.extendKey(l, fromResource, st.key[fromMetadata], r.Attributes())
		st.overflow = c.overflowHash(l, fromResource, st.overflowMetadata)
	}
}

// Scope moves to a scope of the resource.
func (c *Cursor) Scope(s pcommon.InstrumentationScope) {
	c.scope = s
	c.resourceRead = false
	c.scopeID = c.set.hash.Scope(c.resourceID, s)
	for i, l := range c.set.limits {
		st := &c.states[i]
		st.key[fromScope] = c.extendKey(l, fromScope, st.key[fromResource], pcommon.Map{})
	}
}

// Metric moves to a metric of the scope.
func (c *Cursor) Metric(m pmetric.Metric) {
	c.metric, c.nameHash = m, 0
	c.exempt = c.set.exempt.has(m.Name())
	c.metricHash = c.set.hash.Metric(m)
	c.streamID = c.set.hash.Combine(c.scopeID, c.metricHash)
	c.applyRule()
	for i, l := range c.set.limits {
		st := &c.states[i]
		st.skip = l.rule != nil && i != c.remaining.rule || !l.selects.matches(c)
		st.key[fromMetric] = c.extendKey(l, fromMetric, st.key[fromScope], pcommon.Map{})
	}
	c.findProfiles()
	c.identifyKnown()
}

// identifyKnown sets c.known. A rule folds every point, and profiles describe known series as well. In a new generation the places must be
// renewed.
func (c *Cursor) identifyKnown() {
	c.known = 0
	if c.set.known.sets.Load() == nil || c.remaining.rule >= 0 || c.profiled || c.generation != c.set.generation.Load() {
		return
	}
	c.known = c.set.hash.Combine(c.ownStreamID, uint64(c.generation)) //nolint:gosec // bits
	for i := range c.states {
		asked := uint64(0)
		if st := &c.states[i]; !st.skip {
			asked = st.key[fromMetric]
		}
		c.known = c.set.hash.Combine(c.known, asked)
	}
}

// extendKey adds the parts of a level to the hash of a key.
func (c *Cursor) extendKey(l *limit, level source, key uint64, attrs pcommon.Map) uint64 {
	h := &c.set.hash
	for _, p := range l.perLevel[level] {
		switch level {
		case fromMetadata:
			for _, v := range c.header(p.name) {
				key = h.Combine(key, h.String(v))
			}
			key = h.Combine(key, 0) // so that one header with two values differs from two headers
		case fromScope:
			key = h.Combine(key, h.String(c.scope.Name()))
		case fromMetric:
			key = h.Combine(key, h.String(c.metric.Name()))
		default:
			if v, ok := attrs.Get(p.name); ok {
				key = h.Combine(key, h.Value(v))
			} else {
				key = h.Combine(key, c.set.empty)
			}
		}
	}
	return key
}

// header returns the client's metadata of a name. An empty value counts as none.
func (c *Cursor) header(name string) []string {
	values := c.metadata.Get(name)
	if len(values) == 1 && values[0] == "" {
		return nil
	}
	return values
}

// overflowHash hashes the names and values of the parts that an overflow series has, for its resource and metadata. Two limits with
// equal overflow series share them.
func (c *Cursor) overflowHash(l *limit, level source, hash uint64) uint64 {
	h := &c.set.hash
	for _, p := range l.overflowParts {
		if p.source != level {
			continue
		}
		hash = h.Combine(hash, h.String(p.name))
		if level == fromMetadata {
			for _, v := range c.header(p.name) {
				hash = h.Combine(hash, h.String(v))
			}
			continue
		}
		if v, ok := c.resource.Attributes().Get(p.name); ok {
			hash = h.Combine(hash, h.Value(v))
		}
	}
	return hash
}
