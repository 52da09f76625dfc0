package limit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Spec is a limit as configured.
type Spec struct {
	Name      string
	Key       []Part
	Streams   bool    // count full identities rather than attribute sets
	MaxSeries int     // places of a key; exactly one of MaxSeries and MaxValues is positive
	MaxValues int     // places of each label of a key
	WarnAt    float64 // share of the places from which a key counts as near its limit; 0 never
	Action    Action
	DryRun    bool // observes only
	Overrides []Override
}

// Override gives the keys that match it another maximum. The first match holds.
type Override struct {
	Metrics []*regexp.Regexp // any of them matches metric.name; empty matches all
	Equals  map[Part]string  // parts of the key and the values they must have
	Max     int
}

// Options are what all limits share.
type Options struct {
	Exempt  []*regexp.Regexp // metrics that no limit sees
	Window  time.Duration    // of all remembered generations together
	Tracker tracker.Config
	MaxKeys int // trackers of a limit; keys beyond share one
	Seed    uint64
	Now     func() time.Time
}

// Anchored compiles an expression that must match the whole of a name.
func Anchored(expr string) (*regexp.Regexp, error) {
	return regexp.Compile(`^(?:` + expr + `)$`)
}

// limit is a compiled Spec.
type limit struct {
	Spec
	perLevel [sources][]Part
	fold     []Part // parts that an overflow series carries: metadata and resource
	max      int
	seed     uint64
	trackers table
}

func compile(s Spec, o *Options, hash func(string) uint64) (*limit, error) {
	l := &limit{Spec: s, max: max(s.MaxSeries, s.MaxValues), seed: hash(s.Name)}
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

// places is the maximum of a new key.
func (l *limit) places(value func(Part) string) int {
	for i := range l.Overrides {
		if o := &l.Overrides[i]; o.matches(value) {
			return o.Max
		}
	}
	return l.max
}

func (o *Override) matches(value func(Part) string) bool {
	for p, want := range o.Equals {
		if value(p) != want {
			return false
		}
	}
	if len(o.Metrics) == 0 {
		return true
	}
	name := value(Part{source: fromMetric})
	return slices.ContainsFunc(o.Metrics, func(r *regexp.Regexp) bool { return r.MatchString(name) })
}
