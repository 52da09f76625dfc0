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

// Spec is a limit as configured.
type Spec struct {
	Name      string
	Key       []Part
	Streams   bool      // count full identities rather than attribute sets
	MaxSeries int       // places of a key; exactly one of MaxSeries and MaxValues is positive
	MaxValues int       // places of each label of a key
	Values    Selection // labels of points whose values are counted; the zero value: all
	// ResourceValues are the attributes of resources whose values are counted. With them and no names in Values, the labels
	// of points are not.
	ResourceValues Names
	WarnAt         float64 // share of the places from which a key counts as near its limit; 0 never
	Action         Action
	DryRun         bool // observes only
	Overrides      []Override
	Match          Match // what the limit applies to

	rule *rule // whose streams the limit counts; nil: none
}

// Override gives the keys that match it another maximum. The first match holds.
type Override struct {
	Metrics Names           // match metric.name; empty matches all
	Equals  map[Part]string // parts of the key and the values they must have
	Max     int
}

// Names are expressions that must match the whole of a name.
type Names []*regexp.Regexp

// has tells whether one of them matches.
func (n Names) has(name string) bool {
	return slices.ContainsFunc(n, func(r *regexp.Regexp) bool { return r.MatchString(name) })
}

// Options are what all limits share.
type Options struct {
	Exempt  Names // metrics that no limit and no rule sees
	Rules   []Rule
	Window  time.Duration // of all remembered generations together
	Tracker tracker.Config
	MaxKeys int // trackers of a limit; keys beyond share one
	// ContestedAt is the share of a key's places from which on a stranger must have been active
	// before. 0: there is no such share.
	ContestedAt float64
	// DropsGauges: gauges are not folded, so that one over a limit is dropped.
	DropsGauges bool
	Seed        uint64
	Board       *offenders.Board // told what finds no place; nil: nobody is
	Now         func() time.Time
	Cluster     Cluster // shares places with other gateways; nil: this gateway is alone
}

// limit is a compiled Spec.
type limit struct {
	Spec
	perLevel [sources][]Part
	fold     []Part // parts that an overflow series carries: metadata and resource
	max      int
	seed     uint64
	trackers table
	selects  matcher
	values   selector
	// resourceValues and onlyResource are Spec.ResourceValues.
	resourceValues nameCache
	onlyResource   bool
	contest        float64 // Options.ContestedAt
	door           doorkeeper
	cluster        bool // its places count for all gateways
}

func compile(s Spec, o *Options, hash func(string) uint64) (*limit, error) {
	l := &limit{Spec: s, max: max(s.MaxSeries, s.MaxValues), seed: hash(s.Name), contest: o.ContestedAt, selects: s.Match.compile(), values: s.Values.compile()}
	if o.ContestedAt == 1 || s.rule != nil { // a full key has no last places
		l.contest = 0
	}
	l.resourceValues = newNameCache(s.ResourceValues)
	l.onlyResource = len(s.ResourceValues) > 0 && len(s.Values.Names) == 0
	l.door.budget = o.Tracker.Budget
	l.cluster = o.Cluster != nil && s.rule == nil
	for _, p := range s.Key {
		l.perLevel[p.source] = append(l.perLevel[p.source], p)
		// The overflow series has an instance of its own.
		if p.source == fromMetadata || p.source == fromResource && p.name != instanceID {
			l.fold = append(l.fold, p)
		}
	}
	slices.SortFunc(l.fold, func(a, b Part) int { return strings.Compare(a.String(), b.String()) })
	if !l.trackers.init(l.max, o) {
		return nil, fmt.Errorf("limit %s: %w", s.Name, ErrNoMemory)
	}
	return l, nil
}

const instanceID = "service.instance.id"

// labels tells whether the limit counts the values of labels.
func (l *limit) labels() bool { return l.MaxValues > 0 }

// noOverride is the index of none.
const noOverride = -1

// places is the maximum of a new key, with the override that it comes from.
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
