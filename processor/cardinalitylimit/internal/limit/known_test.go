package limit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// The sets grow until almost all streams stay. What replaces a stream of an earlier generation stays as well.
func TestKnownSeriesStay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 1_000, 60_000} {
		var k knownSeries
		for generation := range int64(3) {
			ids := make([]uint64, n)
			for i := range ids {
				ids[i] = rng.Uint64()
				require.False(t, k.has(ids[i]), "an unknown id")
			}
			for range 20 {
				k.adapt(generation)
				for _, id := range ids {
					if !k.has(id) {
						k.add(id)
					}
				}
			}
			known := 0
			for _, id := range ids {
				if k.has(id) {
					known++
				}
			}
			assert.GreaterOrEqual(t, known, n*98/100, "%d streams", n)
		}
		assert.LessOrEqual(t, len(*k.sets.Load()), maxKnownSets)
	}
}

// The sets grow with the identities that were added since the last time. Too many of them end the sets for one generation.
func TestKnownSeriesAdapt(t *testing.T) {
	var k knownSeries
	require.False(t, k.has(1))
	k.add(1) // no sets yet
	for _, c := range []struct {
		generation, added int64
		sets              int
	}{
		{1, 0, minKnownSets},
		{1, 1024, minKnownSets},
		{1, 1025, 2 * minKnownSets},
		{1, 0, 2 * minKnownSets},
		{1, 100_000, maxKnownSets},
		{1, 131_072, maxKnownSets},
		{1, 131_073, 0},
		{1, 0, 0},
		{2, 0, minKnownSets},
		{2, 1 << 40, 0},
		{2, 0, 0},
		{3, 0, minKnownSets},
	} {
		k.added.Store(c.added)
		k.adapt(c.generation)
		n := 0
		if sets := k.sets.Load(); sets != nil {
			n = len(*sets)
		}
		assert.Equal(t, c.sets, n, "%+v", c)
	}
}

// One limit alone has no use for a second table, and neither has it with a rule.
func TestOneLimitKnowsItsSeries(t *testing.T) {
	one := Spec{Name: "one", Key: parts(t, "metric.name"), MaxSeries: 5, Action: Drop}
	assert.Nil(t, newSet(t, one).known.sets.Load())
	assert.Nil(t, newRuleSet(t, Rule{MaxStreams: 1}, one).known.sets.Load())
	two := one
	two.Name = "two"
	assert.NotNil(t, newSet(t, one, two).known.sets.Load())
}

// The table never uses the room of a place.
func TestKnownSeriesUseNoMemoryOfPlaces(t *testing.T) {
	s := withTotal(t, harness.NewClock(), Spec{Name: "first", Key: parts(t, "metric.name"), MaxSeries: 1000, Action: Drop})
	used := s.options.Tracker.Budget.Used()
	s.known.added.Store(100_000)
	s.Sweep()
	assert.Len(t, *s.known.sets.Load(), maxKnownSets)
	assert.Equal(t, used, s.options.Tracker.Budget.Used())
	assert.Zero(t, s.options.Tracker.Budget.Refused())
}

// withTotal returns a set of a limit and a second one, so that known series are remembered.
func withTotal(t *testing.T, clock *harness.Clock, first Spec) *Set {
	o := newSet(t).options
	o.Now = clock.Now
	s, err := NewSet([]Spec{first, {Name: "total", Streams: true, MaxSeries: 1000, Action: Drop}}, o)
	require.NoError(t, err)
	return s
}

// requireThrice decides on a point three times, so that it is known afterwards, and requires an action each time.
func requireThrice(t *testing.T, want Action, offer func() Decision) {
	t.Helper()
	for range 3 {
		require.Equal(t, want, offer().Action)
	}
}

// A series that is known under one key is a stranger under every other: of other metadata, resource, scope, metric or attribute.
func TestKnownUnderItsKeysOnly(t *testing.T) {
	for _, part := range []string{"metadata.m", "resource.r", "scope.name", "metric.name", "attribute.k"} {
		s := withTotal(t, harness.NewClock(), Spec{Name: "first", Key: parts(t, part), MaxSeries: 1, Action: Drop})
		offer := func(key, id string) func() Decision {
			value := func(p string) string {
				if p == part {
					return key
				}
				return "same"
			}
			return func() Decision {
				return decide(s, headers{"m": {value("metadata.m")}}, value("resource.r"), value("scope.name"), value("metric.name"),
					"k", value("attribute.k"), "id", id)
			}
		}
		requireThrice(t, Pass, offer("a", "1"))
		requireThrice(t, Pass, offer("b", "2"))
		requireThrice(t, Drop, offer("b", "1"))
		requireThrice(t, Drop, offer("a", "2"))
		requireThrice(t, Pass, offer("a", "1"))
		requireThrice(t, Pass, offer("b", "2"))
	}
}

// A series that is known where a limit does not apply is a stranger where it does.
func TestKnownUnderTheLimitsThatApply(t *testing.T) {
	match := Match{Equals: map[Part]string{parts(t, "metadata.m")[0]: "limited"}}
	s := withTotal(t, harness.NewClock(), Spec{Name: "first", Key: parts(t, "metric.name"), Match: match, MaxSeries: 1, Action: Drop})
	offer := func(tenant, id string) func() Decision {
		return func() Decision { return decide(s, headers{"m": {tenant}}, "r", "s", "m", "id", id) }
	}
	requireThrice(t, Pass, offer("free", "1"))
	requireThrice(t, Pass, offer("limited", "2"))
	requireThrice(t, Drop, offer("limited", "1"))
	requireThrice(t, Pass, offer("free", "1"))
}

// A known series renews its places in each generation. A silent one loses them, although it was known.
func TestKnownForOneGeneration(t *testing.T) {
	clock := harness.NewClock()
	s := withTotal(t, clock, Spec{Name: "first", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop})
	offer := func(id string) func() Decision {
		return func() Decision { return decide(s, nil, "r", "s", "m", "id", id) }
	}
	for range 10 {
		requireThrice(t, Pass, offer("steady"))
		requireThrice(t, Drop, offer("late"))
		clock.Add(s.options.GenerationLength())
	}
	clock.Add(2 * s.options.GenerationLength())
	requireThrice(t, Pass, offer("late"))
	requireThrice(t, Drop, offer("steady"))
	for _, u := range s.Sweep() {
		assert.EqualValues(t, 1, u.Series, u.Limit)
	}
}

// A batch that lasts into the next generation renews the places of its series.
func TestKnownSeriesOfALongBatch(t *testing.T) {
	clock := harness.NewClock()
	s := withTotal(t, clock, Spec{Name: "first", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop})
	offer := func(id string) Decision { return decide(s, nil, "r", "s", "m", "id", id) }
	requireThrice(t, Pass, func() Decision { return offer("1") })
	long := s.Begin(headers{})
	clock.Add(s.options.GenerationLength())
	s.Sweep()
	r, sc, m, a := pcommon.NewResource(), pcommon.NewInstrumentationScope(), pmetric.NewMetric(), pcommon.NewMap()
	r.Attributes().PutStr("r", "r")
	sc.SetName("s")
	m.SetName("m")
	a.PutStr("id", "1")
	long.Resource(r)
	long.Scope(sc)
	long.Metric(m)
	require.Equal(t, Pass, long.Decide(a, false).Action)
	long.End()
	clock.Add(s.options.GenerationLength())
	require.Equal(t, Drop, offer("2").Action)
}

// A name that occurs twice in a point has one value for the key: the first. In the other order the series is another one for the limit.
func TestKnownWithADuplicateName(t *testing.T) {
	s := withTotal(t, harness.NewClock(), Spec{Name: "first", Key: parts(t, "attribute.k"), MaxSeries: 1, Action: Drop})
	offer := func(a, b string) func() Decision {
		return func() Decision {
			c := s.Begin(headers{})
			defer c.End()
			c.Resource(pcommon.NewResource())
			c.Scope(pcommon.NewInstrumentationScope())
			m := pmetric.NewMetric()
			m.SetName("m")
			c.Metric(m)
			return c.Decide(twice(t, a, b), false)
		}
	}
	requireThrice(t, Pass, func() Decision { return decide(s, nil, "", "", "m", "k", "b") })
	requireThrice(t, Pass, offer("a", "b"))
	requireThrice(t, Drop, offer("b", "a"))
}

// twice returns attributes with two values of k. A sender may write them; pdata does not.
func twice(t *testing.T, first, second string) pcommon.Map {
	md := pmetric.NewMetrics()
	p := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	p.Attributes().PutStr("k", first)
	p.Attributes().PutStr("j", second)
	wire, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	md, err = (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(bytes.ReplaceAll(wire, []byte("\x0a\x01j"), []byte("\x0a\x01k")))
	require.NoError(t, err)
	attributes := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0).Attributes()
	require.Equal(t, 2, attributes.Len())
	return attributes
}

// The labels of a known series count in a profile that began after it was known.
func TestKnownSeriesAreDescribed(t *testing.T) {
	s, board := newWatchedSet(t,
		Spec{Name: "first", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop},
		Spec{Name: "second", Key: parts(t, "metric.name"), Streams: true, MaxSeries: 1000, Action: Drop},
	)
	known := func() Decision { return decide(s, nil, "r", "s", "m", "id", "known") }
	requireThrice(t, Pass, known)
	for id := range 5 {
		require.Equal(t, Drop, decide(s, nil, "r", "s", "m", "id", fmt.Sprint(id)).Action)
	}
	require.EqualValues(t, 5, labelsOf(board, 0)["id"])
	requireThrice(t, Pass, known)
	require.EqualValues(t, 6, labelsOf(board, 0)["id"])
}

// A rule folds a known series with the horizon of the later limits.
func TestKnownSeriesUnderARule(t *testing.T) {
	const at = 77
	s := newRuleSet(t, Rule{Labels: Selection{Names: namesOf("user")}, MaxStreams: 10},
		Spec{Name: "later", Key: parts(t, "metric.name"), MaxSeries: 10, Action: Drop})
	decide(s, nil, "r", "s", "m", "user", "1")
	s.NoteUnknownUntil(1, at)
	for range 3 {
		d := decide(s, nil, "r", "s", "m", "user", "1")
		require.Zero(t, d.Rule)
		require.EqualValues(t, at, d.Horizon)
	}
}

// Goroutines that decide while the sets change never admit more series than there are places.
func TestKnownSeriesWhileAdapting(t *testing.T) {
	clock := harness.NewClock()
	s := withTotal(t, clock, Spec{Name: "first", Key: parts(t, "metric.name"), MaxSeries: 100, Action: Drop})
	var all sync.WaitGroup
	passed := make([]map[string]bool, 4)
	for g := range passed {
		passed[g] = map[string]bool{}
		all.Go(func() {
			for i := range 20_000 {
				id := fmt.Sprint((i*7 + g) % 300)
				if decide(s, nil, "r", "s", "m", "id", id).Action == Pass {
					passed[g][id] = true
				}
			}
		})
	}
	for i := range int64(200) {
		s.known.added.Store(1 << (i % 20))
		s.known.adapt(i / 50)
	}
	all.Wait()
	union := map[string]bool{}
	for _, ids := range passed {
		for id := range ids {
			union[id] = true
		}
	}
	assert.Len(t, union, 100)
}
