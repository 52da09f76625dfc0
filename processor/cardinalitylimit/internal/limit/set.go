package limit

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/streamid"
)

// Set contains the limits of one processor. It is safe for concurrent use. Decisions are exact for any number of goroutines.
type Set struct {
	limits    []*limit // rules first, then limits on values, then limits on series, each in the order of the configuration
	options   Options
	hash      streamid.Hasher
	mark      uint64 // hash of the pair otel.metric.overflow=true
	markText  uint64 // the same with the text "true", as Prometheus sends it
	markLabel uint64 // hash of the name otel.metric.overflow
	empty     uint64 // hash of the empty string, for a missing part of a key
	// metricLabel is the hash of metric.name as a label of an offending key.
	metricLabel uint64
	overflows   int // index of the first enforced limit with the action overflow, or -1
	strips      int // index of the first enforced limit with the action strip, or -1

	begun          time.Time
	generation     atomic.Int64
	rotations      atomic.Int64
	rules          []int // indexes of the rules' limits, which come first
	keyedByPoint   []int // indexes of the limits whose keys contain attributes of points
	exempt         nameCache
	neededMetadata neededMetadata
	known          knownSeries
	cursors        sync.Pool
}

// NewSet compiles the limits. It fails only if the memory limit is too small for one tracker per limit.
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
		s.neededMetadata.need(l)
		if len(l.perLevel[fromAttribute]) > 0 {
			s.keyedByPoint = append(s.keyedByPoint, i)
		}
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
	s.generation.Store(s.generationAt(s.begun.UnixNano() + s.clusterShift()))
	s.adaptKnown()
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

// generationAt returns the generation of a time in ns.
func (s *Set) generationAt(now int64) int64 {
	return now / int64(s.options.GenerationLength())
}

// tick reads the clock. It returns the time in ns, the generation, and the slot of doorkeepers. Generations and slots follow
// the time that has passed since the start, not the wall clock. If two goroutines read the clock at the same time, the
// generation never goes back.
func (s *Set) tick() (now, generation, slot int64) {
	t := s.options.Now()
	passed := s.begun.UnixNano() + int64(t.Sub(s.begun)) + s.clusterShift()
	now, generation, slot = t.UnixNano(), s.generationAt(passed), passed/int64(slotLength)
	for {
		last := s.generation.Load()
		if generation <= last {
			return now, last, slot
		}
		if s.generation.CompareAndSwap(last, generation) {
			s.rotations.Add(1)
			return now, generation, slot
		}
	}
}

// Sweep frees empty keys and returns the usage of each limit. It must have one caller at a time.
func (s *Set) Sweep() []Usage {
	now, generation, _ := s.tick()
	usage := make([]Usage, len(s.limits))
	for i, l := range s.limits {
		usage[i] = l.sweep(generation, now)
	}
	s.adaptKnown()
	return usage
}

// adaptKnown adapts knownSeries to the traffic. One limit alone is asked as fast as knownSeries.
func (s *Set) adaptKnown() {
	if len(s.limits)-len(s.rules) > 1 {
		s.known.adapt(s.generation.Load())
	}
}

// Rotations is the number of generations that have begun since the start.
func (s *Set) Rotations() int64 { return s.rotations.Load() }

// Len is the number of limits.
func (s *Set) Len() int { return len(s.limits) }

// Name returns the name of limit i, or "none" for -1.
func (s *Set) Name(i int) string {
	if i < 0 {
		return NoLimit
	}
	return s.limits[i].Name
}

// Action returns the action of limit i and whether the limit is a dry run.
func (s *Set) Action(i int) (a Action, dryRun bool) {
	return s.limits[i].Action, s.limits[i].DryRun
}

// CountsValues reports whether limit i counts the values of labels instead of series.
func (s *Set) CountsValues(i int) bool { return s.limits[i].labels() }

// HasKeysOfMetrics reports whether a limit has keys that contain several metrics.
func HasKeysOfMetrics(specs []Spec, rules []Rule) bool {
	return len(rules) > 0 || slices.ContainsFunc(specs, func(s Spec) bool {
		return !slices.Contains(s.Key, Part{source: fromMetric})
	})
}

// NoLimit is the name for points that exceed no limit.
const NoLimit = "none"
