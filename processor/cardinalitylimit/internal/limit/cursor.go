package limit

import (
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Cursor walks one batch: Resource, Scope and Metric as they come, Decide for each
// point. It carries what the points of a group share, so that a point pays for its
// own attributes only. Not safe for concurrent use; take one a batch.
type Cursor struct {
	// Counts tallies the points since Begin.
	Counts Counts

	set        *Set
	now, epoch int64

	metadata Metadata
	slot     int64 // of our clock, see doorkeeper
	// allMetadata hashes the client's metadata that is part of any key.
	allMetadata uint64
	surroundings
	saved     []surroundings // by Save
	savedKeys []groupKeys    // as many for each of saved as there are limits

	groups []group // one a limit

	// Of the point at hand.
	attributes   uint64 // sum of the pairs, labels taken away left out
	original     uint64 // sum of all pairs
	pairs        []pair
	verdicts     []verdict
	held         []*sync.Mutex
	offences     []offence
	marked, only bool
	stamp        uint64 // see Stamp
	knownOnly    bool   // see DecideKnown
	stranger     bool   // a limit does not know the series, and knownOnly
	sharing
	asked int // limits that were asked about the point

	// Of the resource and the scope at hand; valid if resourceRead. See readResource.
	resourceRead           bool
	resourceTaken          bool // the point at hand loses an attribute of its resource
	resourcePairs          []resourcePair
	resourceSum, scopeName uint64
}

// group is the state of a limit for the points at hand.
type group struct {
	groupKeys
	foldMetadata uint64   // the part of fold that comes from the client's metadata
	last         recent   // neighbours tend to have one key
	labels       []recent // and the same labels; by position
	described    description
}

// description is what the overrides and a person make of a key.
type description struct {
	key      uint64
	places   int // 0: none was made yet
	override int // index of the override that applies, or noOverride
	text     string
}

// recent is an entry met before.
type recent struct {
	id    uint64
	entry *entry // nil: none
}

// label is the entry met last of the label at a position.
func (g *group) label(at int) *recent {
	for len(g.labels) <= at {
		g.labels = append(g.labels, recent{})
	}
	return &g.labels[at]
}

// pair is an attribute of the point at hand.
type pair struct {
	key     string
	text    string // the value, if isText
	label   uint64 // hash of the key, 0 before the first
	value   uint64 // hash of the value
	pair    uint64 // hash of both
	isText  bool
	isMark  bool // the pair is Mark, true
	taken   bool
	dropped bool // by the rule of that number
	rule    int  // index and one; 0: nobody asked
}

// set makes p an attribute that differs from the one before in its place.
func (s *Set) set(p *pair, key string, v pcommon.Value) {
	h := &s.hash
	if p.label == 0 || p.key != key {
		p.key, p.label, p.rule = key, h.String(key), 0
	}
	p.text, p.isText, p.value = "", v.Type() == pcommon.ValueTypeStr, h.Value(v)
	if p.isText {
		p.text = v.Str()
	}
	p.pair = h.PairOf(p.label, p.value)
	if p.isMark = p.pair == s.mark || p.pair == s.markText; p.isMark {
		p.pair = s.mark
	}
}

// verdict is what a tracker said to the point, to be committed once all have
// spoken.
type verdict struct {
	pair    int // of a label limit, otherwise -1
	entry   *entry
	fp      uint64
	verdict tracker.Verdict
	place   int // index in Cursor.places of a place that counts for all gateways, -1 for others
}

// Begin takes a cursor for a batch; End gives it back.
func (s *Set) Begin(md Metadata) *Cursor {
	c, ok := s.cursors.Get().(*Cursor)
	if !ok {
		c = &Cursor{set: s, groups: make([]group, len(s.limits))}
		c.Counts.init(len(s.limits))
	}
	c.now, c.epoch, c.slot = s.tick()
	c.metadata, c.allMetadata, c.remains.rule = md, 0, -1
	s.wanted.meet(md)
	for i, l := range s.limits {
		g := &c.groups[i]
		g.key[fromMetadata] = c.down(l, fromMetadata, l.seed, pcommon.Map{})
		g.foldMetadata = c.foldHash(l, fromMetadata, 0)
		c.allMetadata = s.hash.Combine(c.allMetadata, g.foldMetadata)
	}
	return c
}

// End gives the cursor back. What was read from it is no longer valid.
func (c *Cursor) End() {
	c.Counts.reset()
	c.metadata = nil
	c.endSharing()
	c.surroundings = surroundings{}
	c.forgetSaved()
	clear(c.pairs[:cap(c.pairs)]) // they hold strings of the batch
	clear(c.verdicts[:cap(c.verdicts)])
	clear(c.resourcePairs[:cap(c.resourcePairs)])
	c.resourceRead = false
	for i := range c.groups {
		c.groups[i].last, c.groups[i].described = recent{}, description{}
		c.groups[i].watched = offenders.Pair{}
		clear(c.groups[i].labels)
	}
	if cap(c.pairs) <= maxPooled {
		c.set.cursors.Put(c)
	}
}

// maxPooled is how many attributes of a point a cursor that is kept has room for. All else in it is in proportion.
const maxPooled = 1024

// Resource moves to a resource.
func (c *Cursor) Resource(r pcommon.Resource) {
	c.resource = r
	c.resourceRead = false
	c.resourceID, c.remains = c.set.hash.Resource(r), remains{rule: -1}
	for i, l := range c.set.limits {
		g := &c.groups[i]
		g.key[fromResource] = c.down(l, fromResource, g.key[fromMetadata], r.Attributes())
		g.fold = c.foldHash(l, fromResource, g.foldMetadata)
	}
}

// Scope moves to a scope of the resource.
func (c *Cursor) Scope(s pcommon.InstrumentationScope) {
	c.scope = s
	c.resourceRead = false
	c.scopeID = c.set.hash.Scope(c.resourceID, s)
	for i, l := range c.set.limits {
		g := &c.groups[i]
		g.key[fromScope] = c.down(l, fromScope, g.key[fromResource], pcommon.Map{})
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
		g := &c.groups[i]
		g.skip = l.rule != nil && i != c.remains.rule || !l.selects.matches(c)
		g.key[fromMetric] = c.down(l, fromMetric, g.key[fromScope], pcommon.Map{})
	}
	c.watch()
}

// down hashes the parts that a level adds to a key.
func (c *Cursor) down(l *limit, level source, key uint64, attrs pcommon.Map) uint64 {
	h := &c.set.hash
	for _, p := range l.perLevel[level] {
		switch level {
		case fromMetadata:
			for _, v := range c.header(p.name) {
				key = h.Combine(key, h.String(v))
			}
			key = h.Combine(key, 0) // one value "a","b" differs from two keys
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

// header is the client's metadata of a name; an empty value is none.
func (c *Cursor) header(name string) []string {
	values := c.metadata.Get(name)
	if len(values) == 1 && values[0] == "" {
		return nil
	}
	return values
}

// foldHash hashes the parts of an overflow series' resource and metadata, names
// included: two limits whose overflow series look alike have one between them.
func (c *Cursor) foldHash(l *limit, level source, fold uint64) uint64 {
	h := &c.set.hash
	for _, p := range l.fold {
		if p.source != level {
			continue
		}
		fold = h.Combine(fold, h.String(p.name))
		if level == fromMetadata {
			for _, v := range c.header(p.name) {
				fold = h.Combine(fold, h.String(v))
			}
			continue
		}
		if v, ok := c.resource.Attributes().Get(p.name); ok {
			fold = h.Combine(fold, h.Value(v))
		}
	}
	return fold
}
