package limit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Spec is a configured limit.
type Spec struct {
	Name      string
	Key       []Part
	Streams   bool      // count streams instead of attribute sets
	MaxSeries int       // places of a key; exactly one of MaxSeries and MaxValues is positive
	MaxValues int       // places of each label of a key
	Values    Selection // labels of points whose values are counted; the zero value selects all
	// ResourceValues are the attributes of resources whose values are counted. If it is set and Values has no names, the labels
	// of points are not counted.
	ResourceValues Names
	WarnAt         float64 // share of used places from which on a key counts as near its limit; 0: never
	Action         Action
	DryRun         bool // the limit only counts
	Overrides      []Override
	Match          Match // the metrics that the limit applies to

	rule *rule // rule whose streams the limit counts; nil: none
}

// Override gives the matching keys another maximum. The first match applies.
type Override struct {
	Metrics Names           // expressions for metric.name; empty: all
	Equals  map[Part]string // parts of the key, with the required values
	Max     int
}

// Names are expressions that must match a whole name.
type Names []*regexp.Regexp

// has reports whether one of the expressions matches.
func (n Names) has(name string) bool {
	return slices.ContainsFunc(n, func(r *regexp.Regexp) bool { return r.MatchString(name) })
}

// Options are common to all limits.
type Options struct {
	Exempt  Names // metrics that are exempt from limits and rules
	Rules   []Rule
	Window  time.Duration // of all remembered generations together
	Tracker tracker.Options
	MaxKeys int // maximum number of keys per limit with a tracker of their own
	// ContestedAt is the share of used places of a key from which on a stranger must have been active before. 0: never.
	ContestedAt float64
	// DropsGauges is true if gauges are not folded. Then a gauge over a limit is dropped.
	DropsGauges bool
	Seed        uint64
	Board       *offenders.Board // learns of series without a place; may be nil
	Now         func() time.Time
	Cluster     Cluster // shares places with other gateways; nil: this gateway is alone
}

// limit is a compiled Spec.
type limit struct {
	Spec
	perLevel      [sources][]Part
	overflowParts []Part // parts of the key that an overflow series has: metadata and resource
	max           int
	seed          uint64
	trackers      table
	selects       matcher
	values        selector
	// resourceValues is Spec.ResourceValues. onlyResource: the labels of points are not counted.
	resourceValues nameCache
	onlyResource   bool
	contestedAt    float64 // Options.ContestedAt
	doorkeeper     doorkeeper
	cluster        bool // its places are shared with other gateways
}

func compile(s Spec, o *Options, hash func(string) uint64) (*limit, error) {
	l := &limit{Spec: s, max: max(s.MaxSeries, s.MaxValues), seed: hash(s.Name), contestedAt: o.ContestedAt, selects: s.Match.compile(), values: s.Values.compile()}
	if o.ContestedAt == 1 || s.rule != nil { // without contested places
		l.contestedAt = 0
	}
	l.resourceValues = newNameCache(s.ResourceValues)
	l.onlyResource = len(s.ResourceValues) > 0 && len(s.Values.Names) == 0
	l.doorkeeper.budget = o.Tracker.Budget
	l.cluster = o.Cluster != nil && s.rule == nil
	for _, p := range s.Key {
		l.perLevel[p.source] = append(l.perLevel[p.source], p)
		// The overflow series has an instance ID of its own.
		if p.source == fromMetadata || p.source == fromResource && p.name != instanceID {
			l.overflowParts = append(l.overflowParts, p)
		}
	}
	slices.SortFunc(l.overflowParts, func(a, b Part) int { return strings.Compare(a.String(), b.String()) })
	if !l.trackers.init(l.max, o) {
		return nil, fmt.Errorf("limit %s: %w", s.Name, ErrNoMemory)
	}
	return l, nil
}

const instanceID = "service.instance.id"

// labels reports whether the limit counts the values of labels.
func (l *limit) labels() bool { return l.MaxValues > 0 }

// noOverride is the index for keys without an override.
const noOverride = -1

// places returns the maximum of a new key and the index of its override.
func (l *limit) places(value func(Part) string) (places, override int) {
	for i := range l.Overrides {
		if o := &l.Overrides[i]; o.matches(value) {
			return o.Max, i
		}
	}
	return l.max, noOverride
}

func (o *Override) matches(value func(Part) string) bool {
	for p, want := range o.Equals {
		if value(p) != want {
			return false
		}
	}
	return len(o.Metrics) == 0 || o.Metrics.has(value(Part{source: fromMetric}))
}
