package limit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

type headers map[string][]string

func (h headers) Get(name string) []string { return h[name] }

func parts(t testing.TB, names ...string) (out []Part) {
	for _, n := range names {
		p, err := ParsePart(n)
		require.NoError(t, err)
		require.Equal(t, n, p.String())
		out = append(out, p)
	}
	return out
}

func newSet(t testing.TB, specs ...Spec) *Set {
	s, err := NewSet(specs, Options{
		Window: time.Hour, MaxKeys: 1000, Seed: 1, Now: func() time.Time { return time.Unix(1e9, 0) },
		Tracker: tracker.Options{ExactUpTo: 1000, FalsePositiveRate: 1e-4, Generations: 2, Budget: budget.New(1 << 26)},
	})
	require.NoError(t, err)
	return s
}

// decide offers one point.
func decide(s *Set, md headers, resource, scope, metric string, attributes ...string) Decision {
	c := s.Begin(md)
	defer c.End()
	r, sc, m, a := pcommon.NewResource(), pcommon.NewInstrumentationScope(), pmetric.NewMetric(), pcommon.NewMap()
	r.Attributes().PutStr("r", resource)
	sc.SetName(scope)
	m.SetName(metric)
	for i := 0; i < len(attributes); i += 2 {
		a.PutStr(attributes[i], attributes[i+1])
	}
	c.Resource(r)
	c.Scope(sc)
	c.Metric(m)
	return c.Decide(a, false)
}

// decideStamped offers a point of one metric whose stream has a value and start.
func decideStamped(s *Set, id string, stamp uint64) Decision {
	c := s.Begin(headers{})
	defer c.End()
	m, a := pmetric.NewMetric(), pcommon.NewMap()
	m.SetName("m")
	a.PutStr("id", id)
	c.Resource(pcommon.NewResource())
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(m)
	c.SetStamp(stamp)
	return c.Decide(a, false)
}

// With a limit of one, each key has its own place, for each part of a key.
func TestEveryPartSeparatesKeys(t *testing.T) {
	point := func(s *Set, part, value string, id int) Decision {
		v := map[string]string{"metadata.m": "x", "resource.r": "x", "scope.name": "x", "metric.name": "x", "attribute.a": "x"}
		v[part] = value
		return decide(s, headers{"m": {v["metadata.m"]}}, v["resource.r"], v["scope.name"], v["metric.name"],
			"a", v["attribute.a"], "id", fmt.Sprint(id))
	}
	for _, part := range []string{"metadata.m", "resource.r", "scope.name", "metric.name", "attribute.a"} {
		s := newSet(t, Spec{Name: "l", Key: parts(t, part), MaxSeries: 1, Action: Drop})
		for _, value := range []string{"x", "y", ""} {
			require.Equal(t, Pass, point(s, part, value, 1).Action)
			require.Equal(t, Pass, point(s, part, value, 1).Action)
			require.Equal(t, Drop, point(s, part, value, 2).Action)
		}
		u := s.Sweep()
		require.EqualValues(t, 3, u[0].Keys)
		require.EqualValues(t, 3, u[0].Series)
	}
}

func TestStrongestActionWins(t *testing.T) {
	actions := []Action{Tag, Overflow, Drop}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		var specs []Spec
		strongest, limit := Pass, -1
		for i := range 1 + rng.IntN(4) {
			full := rng.IntN(2) == 0
			sp := Spec{Name: fmt.Sprint("l", i), Key: parts(t, "metric.name"), MaxSeries: 10, Action: actions[rng.IntN(3)]}
			if full {
				sp.MaxSeries = 1
				if sp.Action > strongest && strongest < Overflow { // later limits do not decide on a folded point
					strongest, limit = sp.Action, i
				}
			}
			specs = append(specs, sp)
		}
		s := newSet(t, specs...)
		require.Equal(t, Pass, decide(s, nil, "", "", "m", "id", "1").Action)
		got := decide(s, nil, "", "", "m", "id", "2")
		require.Equal(t, strongest, got.Action)
		require.Equal(t, limit, got.Limit)
	}
}

// A later limit does not decide on a point that an earlier one folds. The overflow series gets one place there, and leaves
// without one, too.
func TestOverflowSeriesTakesOnePlace(t *testing.T) {
	for second, places := range map[int]int64{10: 10, 11: 11, 15: 11} {
		s := newSet(t,
			Spec{Name: "metric", Key: parts(t, "metric.name"), MaxSeries: 10, Action: Overflow},
			Spec{Name: "service", Key: parts(t, "resource.r"), Streams: true, MaxSeries: second, Action: Drop},
		)
		actions := map[Action]int{}
		for range 2 {
			for i := range 110 {
				actions[decide(s, nil, "", "", "m", "id", fmt.Sprint(i)).Action]++
			}
		}
		require.Equal(t, map[Action]int{Pass: 20, Overflow: 200}, actions, second)
		require.Equal(t, places, s.Sweep()[1].Series, second)
	}
}

// A limit decides on all points that no earlier limit folds or drops.
func TestDropBeforeOverflow(t *testing.T) {
	s := newSet(t,
		Spec{Name: "service", Key: parts(t, "resource.r"), Streams: true, MaxSeries: 15, Action: Drop},
		Spec{Name: "metric", Key: parts(t, "metric.name"), MaxSeries: 10, Action: Overflow},
	)
	actions := map[Action]int{}
	for i := range 110 {
		actions[decide(s, nil, "", "", "m", "id", fmt.Sprint(i)).Action]++
		actions[decide(s, nil, "", "", "n", "id", fmt.Sprint(i)).Action]++
	}
	// 15 places: 8 and 7, which is below the limit of each metric.
	require.Equal(t, map[Action]int{Pass: 15, Drop: 205}, actions)
}

// The limits on series decide on the remaining labels of a stripped point.
func TestIdentityAfterStrip(t *testing.T) {
	s := newSet(t,
		Spec{Name: "series", Key: parts(t, "metric.name"), MaxSeries: 4, Action: Drop},
		Spec{Name: "label", Key: parts(t, "metric.name"), MaxValues: 2, Action: Strip},
	)
	actions := map[Action]int{}
	for i := range 100 {
		actions[decide(s, nil, "", "", "m", "error", fmt.Sprint(i), "success", fmt.Sprint(i%2 == 0)).Action]++
	}
	// Two pass unchanged, and the two stripped sets are those of success=true and false.
	require.Equal(t, map[Action]int{Pass: 2, Strip: 98}, actions)
	u := s.Sweep()
	require.Equal(t, "label", u[0].Limit)
	require.EqualValues(t, 4, u[1].Series)
}

func TestLabelsOfOnePointCannotExceedTheSharedTracker(t *testing.T) {
	s := newSet(t, Spec{Name: "label", Key: parts(t, "metric.name"), MaxValues: 3, Action: Drop})
	s.limits[0].trackers.maxKeys = 0
	require.Equal(t, Pass, decide(s, nil, "", "", "m", "a", "1", "b", "1").Action)
	require.Equal(t, Drop, decide(s, nil, "", "", "m", "a", "2", "b", "2").Action)
	require.EqualValues(t, 2, s.Sweep()[0].Series)
}

func TestNoMemoryForATracker(t *testing.T) {
	_, err := NewSet([]Spec{{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop}}, Options{
		Window: time.Hour, Now: time.Now, Tracker: tracker.Options{Generations: 2, Budget: budget.New(10)},
	})
	require.ErrorIs(t, err, ErrNoMemory)
}

func TestExemptionsAreBounded(t *testing.T) {
	var errs check.Errors
	patterns := check.Regexps(&errs, "f", []string{"up|a.*"})
	require.NoError(t, errs.Err())
	e := newNameCache(nil)
	require.False(t, e.has("up"))
	e.patterns = append(e.patterns, patterns...)
	for i := range maxKnownNames + 10 {
		require.Equal(t, i%2 == 0, e.has(fmt.Sprint([]string{"a", "b"}[i%2], i)))
	}
	require.Len(t, e.known, maxKnownNames)
	require.True(t, e.has("up"))
	require.False(t, e.has("upper"))
}

// The hashes that a cursor remembers of earlier points are those that it would compute.
func TestIdentityDoesNotDependOnThePointBefore(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1 << 20, Action: Drop})
	rng := rand.New(rand.NewPCG(1, 1))
	texts := []string{"", "a", "b", "ab"}
	c := s.Begin(headers{})
	defer c.End()
	c.Metric(pmetric.NewMetric())
	for range 20_000 {
		attrs := pcommon.NewMap()
		for range rng.IntN(6) {
			v, _ := attrs.GetOrPutEmpty(texts[rng.IntN(len(texts))])
			switch rng.IntN(5) {
			case 0:
				v.SetInt(int64(rng.IntN(2)))
			case 1:
				v.SetEmptyBytes().Append(byte(rng.IntN(2)))
			case 2: // empty
			default:
				v.SetStr(texts[rng.IntN(len(texts))])
			}
		}
		c.ReadAgain(attrs)
		require.Equal(t, s.hash.Attributes(attrs), c.attributes)
		require.Len(t, c.pairs, attrs.Len())
	}
}

// Setting the wall clock forward or back neither begins generations nor delays them.
func TestGenerationsGoByTimePassed(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop})
	now := time.Now()
	s, err := NewSet([]Spec{s.limits[0].Spec}, Options{
		Window: time.Hour, MaxKeys: 10, Now: func() time.Time { return now }, Tracker: s.options.Tracker,
	})
	require.NoError(t, err)
	require.Equal(t, Pass, decide(s, nil, "", "", "m", "id", "1").Action)
	now = setWall(now, 24*time.Hour)
	require.Equal(t, Drop, decide(s, nil, "", "", "m", "id", "2").Action, "the first has its place yet")
	now = setWall(now, -72*time.Hour).Add(2 * time.Hour)
	require.Equal(t, Pass, decide(s, nil, "", "", "m", "id", "2").Action, "the first has lost it")
	rotations := s.Rotations()
	require.EqualValues(t, 1, rotations)
	decide(s, nil, "", "", "m", "id", "2")
	require.Equal(t, rotations, s.Rotations())
}

// A cursor remembers the keys of the batch before. A key that a sweep has removed meanwhile starts anew, with all of its places free.
func TestRemovedKeyStartsAnewInTheNextBatch(t *testing.T) {
	s := newSet(t, Spec{Name: "series", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop},
		Spec{Name: "values", Key: parts(t, "metric.name"), MaxValues: 1, Action: Tag})
	now := time.Now()
	s, err := NewSet([]Spec{s.limits[0].Spec, s.limits[1].Spec}, Options{
		Window: time.Hour, MaxKeys: 10, Now: func() time.Time { return now }, Tracker: s.options.Tracker,
	})
	require.NoError(t, err)
	c := s.Begin(nil)
	c.End()
	decideOn := func(id string) Action { // a pool gives no guarantee, so the test keeps the cursor
		s.cursors = sync.Pool{New: func() any { return c }}
		return decide(s, nil, "", "", "m", "id", id).Action
	}
	require.Equal(t, Pass, decideOn("1"))
	require.Equal(t, Pass, decideOn("1"))
	for range 8 {
		now = now.Add(time.Hour)
		s.Sweep()
	}
	for _, u := range s.Sweep() {
		require.Zero(t, u.Keys)
	}
	require.Equal(t, Pass, decideOn("2"))
	require.Equal(t, Drop, decideOn("1"), "2 has the only place")
	for _, u := range s.Sweep() {
		require.EqualValues(t, 1, u.Keys)
		require.EqualValues(t, 1, u.Series)
	}
}

// setWall changes the wall clock of a time with a monotonic clock, which does not change. No function makes such a time: its
// first word is a flag, 33 bits of seconds and 30 bits of nanoseconds.
func setWall(t time.Time, by time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(by/time.Second) << 30
	return t
}

// DecideKnown decides on points that all limits know, and changes nothing for others.
func TestDecideKnown(t *testing.T) {
	s := newSet(t,
		Spec{Name: "label", Key: parts(t, "metric.name"), MaxValues: 2, Action: Strip},
		Spec{Name: "a", Key: parts(t, "metric.name"), MaxSeries: 3, Action: Overflow},
		Spec{Name: "b", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop, DryRun: true},
	)
	c := s.Begin(headers{})
	defer c.End()
	c.Resource(pcommon.NewResource())
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(pmetric.NewMetric())
	offer := func(id string, stale bool) (Decision, bool) {
		a := pcommon.NewMap()
		a.PutStr("id", id)
		c.ReadAgain(a)
		var d Decision
		known := c.DecideKnown(&d, a, stale)
		return d, known
	}
	counted := func() (n int64) {
		c.Counts.Each(func(_ int, _ Action, _ bool, points int64) { n += points })
		return n
	}
	_, known := offer("1", false)
	require.False(t, known)
	require.Zero(t, counted())
	for _, u := range s.Sweep() {
		require.Zero(t, u.Series, u.Limit)
	}
	one := pcommon.NewMap()
	one.PutStr("id", "1")
	require.Equal(t, Pass, c.Decide(one, false).Action)
	d, known := offer("1", false)
	require.True(t, known)
	require.Equal(t, Pass, d.Action)
	require.EqualValues(t, 2, counted())
	two := pcommon.NewMap()
	two.PutStr("id", "2")
	require.Equal(t, Pass, c.Decide(two, false).Action, "a dry run objects")
	_, known = offer("2", false)
	require.False(t, known, "the dry run does not know it")
	d, known = offer("9", true)
	require.True(t, known, "a stale point wants no place")
	require.Equal(t, Drop, d.Action)
}

// Return moves a cursor back to a metric, with its key and the parts that an overflow series has.
func TestSaveAndReturn(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "resource.r", "scope.name", "metric.name"), MaxSeries: 1, Action: Overflow})
	c := s.Begin(headers{})
	defer c.End()
	attrs := func(id string) pcommon.Map {
		a := pcommon.NewMap()
		a.PutStr("id", id)
		return a
	}
	var saved []int
	var targets []Decision
	for _, name := range []string{"a", "b"} {
		r, sc, m := pcommon.NewResource(), pcommon.NewInstrumentationScope(), pmetric.NewMetric()
		r.Attributes().PutStr("r", name)
		sc.SetName(name)
		m.SetName(name)
		c.Resource(r)
		c.Scope(sc)
		c.Metric(m)
		require.Equal(t, Pass, c.Decide(attrs("1"), false).Action)
		saved = append(saved, c.Save())
		targets = append(targets, c.Decide(attrs("2"), false))
	}
	for i := range saved {
		c.Return(saved[i])
		require.Equal(t, targets[i], c.Decide(attrs("2"), false))
		to := pcommon.NewMap()
		c.TargetResource(0, to)
		require.Equal(t, map[string]any{"r": []string{"a", "b"}[i]}, to.AsRaw())
	}
}
