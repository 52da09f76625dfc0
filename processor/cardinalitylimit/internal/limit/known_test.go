package limit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// The sets have room for twice the series, so that almost all of them stay. What replaces a series of an earlier generation stays as
// well.
func TestKnownSeriesStay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int64{0, 1, 1_000, 100_000} {
		k := knownSeries{budget: budget.New(1 << 30)}
		k.resize(n)
		for range 2 { // generations
			ids := make([]uint64, n)
			for i := range ids {
				ids[i] = rng.Uint64()
				require.False(t, k.has(ids[i]), "an unknown id")
			}
			for range 20 {
				for _, id := range ids {
					if !k.has(id) {
						k.add(id)
					}
				}
			}
			known := int64(0)
			for _, id := range ids {
				if k.has(id) {
					known++
				}
			}
			assert.GreaterOrEqual(t, known, n*98/100, "%d series", n)
		}
		require.EqualValues(t, len(*k.sets.Load())*knownSetBytes, k.budget.Used())
	}
}

// The sets follow the number of series in both directions, but not each small change. Without memory nothing changes.
func TestKnownSeriesAreResized(t *testing.T) {
	k := knownSeries{budget: budget.New(1 << 20)}
	require.False(t, k.has(1))
	k.add(1) // no sets yet
	slots := func() int64 { return k.budget.Used() / 8 }
	for _, c := range []struct{ series, slots int64 }{
		{0, 2048},
		{1024, 2048},
		{1025, 4096},
		{600, 4096},
		{512, 4096},
		{30_000, 65_536},
		{9_000, 65_536},
		{8_000, 16_384},
		{1_000_000, 16_384}, // no memory
	} {
		k.resize(c.series)
		assert.Equal(t, c.slots, slots(), "%d series", c.series)
	}
	assert.EqualValues(t, 1, k.budget.Refused())
}

// One limit alone has no use for a second table.
func TestOneLimitKnowsItsSeries(t *testing.T) {
	s := newSet(t, Spec{Name: "one", Key: parts(t, "metric.name"), MaxSeries: 5, Action: Drop})
	s.Sweep()
	assert.Nil(t, s.known.sets.Load())
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

// Goroutines that decide while the sets are resized never admit more series than there are places.
func TestKnownSeriesWhileResizing(t *testing.T) {
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
		s.known.resize(i % 5 * 3000)
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
