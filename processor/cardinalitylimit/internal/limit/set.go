package limit

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/streamid"
)

// Set is the limits of one processor. Safe for concurrent use; decisions are exact
// for any number of goroutines.
type Set struct {
	limits    []*limit // rules first, then limits on values, each group in the order of the configuration
	options   Options
	hash      streamid.Hasher
	mark      uint64 // the pair otel.metric.overflow=true
	markText  uint64 // the same with a text as its value, as it comes from Prometheus
	markLabel uint64 // otel.metric.overflow alone
	empty     uint64 // a missing part of a key: the empty string
	// metricLabel is the hash of metric.name as a label of what a key has too many of.
	metricLabel uint64
	overflows   int // first enforced overflow limit, -1 without
	strips      int // first enforced strip limit, -1 without

	begun     time.Time
	epoch     atomic.Int64
	rotations atomic.Int64
	rules     []int // indexes of the limits of rules, which come first
	exempt    nameCache
	wanted    wantedMetadata
	cursors   sync.Pool
}

// NewSet compiles the limits. It fails only where the memory limit cannot hold one
// tracker a limit.
func NewSet(specs []Spec, o Options) (*Set, error) {
	s := &Set{options: o, hash: streamid.New(o.Seed), overflows: -1, strips: -1}
	s.mark, s.markLabel = s.hash.Pair(Mark, markValue()), s.hash.String(Mark)
	s.markText = s.hash.Pair(Mark, pcommon.NewValueStr("true"))
	s.empty = s.hash.Value(pcommon.NewValueStr(""))
	s.metricLabel = s.hash.String(metricName)
	s.exempt = newNameCache(o.Exempt)
	specs = arrange(specs, o.Rules)
	for i := range o.Rules {
		s.rules = append(s.rules, i)
	}
	for i := range specs {
		l, err := compile(specs[i], &s.options, s.hash.String)
		if err != nil {
			return nil, err
		}
		s.limits = append(s.limits, l)
		s.wanted.want(l)
		if l.DryRun || l.rule != nil {
			continue
		}
		if l.Action == Overflow && s.overflows < 0 {
			s.overflows = i
		}
		if l.Action == Strip && s.strips < 0 {
			s.strips = i
		}
	}
	s.begun = s.options.Now()
	s.epoch.Store(s.epochAt(s.begun.UnixNano() + s.clusterShift()))
	return s, nil
}

// arrange returns rules, limits on values and limits on series, in this order.
func arrange(specs []Spec, rules []Rule) []Spec {
	specs = slices.Clone(specs)
	slices.SortStableFunc(specs, func(a, b Spec) int { return labelsFirst(a) - labelsFirst(b) })
	for i := range rules {
		specs = slices.Insert(specs, i, rules[i].spec(i))
	}
	return specs
}

func labelsFirst(s Spec) int {
	if s.MaxValues > 0 {
		return 0
	}
	return 1
}

// epochAt is the generation a time in ns belongs to.
func (s *Set) epochAt(now int64) int64 {
	return now / int64(s.options.Generation())
}

// tick reads the clock and returns it in ns with the generation. Generations go by
// the time that has passed since the start, whatever is done to the wall clock, and so do
// the slots of doorkeepers. Of two readers of the clock the later one does not bring an old
// generation back.
func (s *Set) tick() (now, epoch, slot int64) {
	t := s.options.Now()
	passed := s.begun.UnixNano() + int64(t.Sub(s.begun)) + s.clusterShift()
	now, epoch, slot = t.UnixNano(), s.epochAt(passed), passed/int64(slotLength)
	for {
		last := s.epoch.Load()
		if epoch <= last {
			return now, last, slot
		}
		if s.epoch.CompareAndSwap(last, epoch) {
			s.rotations.Add(1)
			return now, epoch, slot
		}
	}
}

// Sweep frees the keys that are empty and returns the usage of each limit.
func (s *Set) Sweep() []Usage {
	now, epoch, _ := s.tick()
	usage := make([]Usage, len(s.limits))
	for i, l := range s.limits {
		usage[i] = l.sweep(epoch, now)
	}
	return usage
}

// Rotations counts the generations that began since the start.
func (s *Set) Rotations() int64 { return s.rotations.Load() }

// Len is the number of limits.
func (s *Set) Len() int { return len(s.limits) }

// Name is the name of limit i, or "none" for -1: no limit.
func (s *Set) Name(i int) string {
	if i < 0 {
		return NoLimit
	}
	return s.limits[i].Name
}

// Action is what limit i does with what it has no place for, and whether it only observes.
func (s *Set) Action(i int) (a Action, dryRun bool) {
	return s.limits[i].Action, s.limits[i].DryRun
}

// CountsValues tells whether limit i counts the values of labels rather than series.
func (s *Set) CountsValues(i int) bool { return s.limits[i].labels() }

// HasKeysOfMetrics reports whether some limit has keys that contain several metrics.
func HasKeysOfMetrics(specs []Spec, rules []Rule) bool {
	return len(rules) > 0 || slices.ContainsFunc(specs, func(s Spec) bool {
		return !slices.Contains(s.Key, Part{source: fromMetric})
	})
}

// NoLimit stands for the limit of a point that none objects to.
const NoLimit = "none"
