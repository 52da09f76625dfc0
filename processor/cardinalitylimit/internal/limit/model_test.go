package limit

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// testPoint is a point for the model.
type testPoint struct {
	tenant, resource, scope, metric string // tenant is common to the whole batch
	attributes                      map[string]string
	mark, stale                     bool
}

func (s *testPoint) part(p string, taken map[string]bool) string {
	switch p {
	case "metadata.m":
		return s.tenant
	case "resource.r":
		return s.resource
	case "scope.name":
		return s.scope
	case "metric.name":
		return s.metric
	}
	if name := strings.TrimPrefix(p, "attribute."); !taken[name] {
		return s.attributes[name]
	}
	return ""
}

// model stores everything as text and decides by the words of the documentation, one place after the other.
type model struct {
	specs       []Spec // in the order of the set
	generations int64
	exempt      *regexp.Regexp
	places      []map[string]*places // by limit and key
}

type places struct {
	max  int
	seen map[string]int64 // last generation that saw a member
}

type want struct {
	p      *places
	member string
	label  string // for a limit on values
}

func (m *model) decide(s testPoint, generation int64) (action Action, limit int, observed map[int]Action) {
	limit, observed = -1, map[int]Action{}
	if m.exempt.MatchString(s.metric) {
		return Pass, limit, observed
	}
	enforced := func(a Action) int {
		return slices.IndexFunc(m.specs, func(l Spec) bool { return l.Action == a && !l.DryRun })
	}
	if i := enforced(Overflow); s.mark && len(s.attributes) == 0 && i >= 0 {
		m.giveOverflowPlace(i, &s, generation)
		return Overflow, i, observed
	}
	if i := enforced(Strip); s.mark && i >= 0 {
		action, limit = Strip, i
	}
	taken, wants := map[string]bool{}, []want(nil)
	for i, l := range m.specs {
		var key, stays []string
		for _, p := range l.Key {
			key = append(key, s.part(p.String(), taken))
		}
		for _, name := range slices.Sorted(maps.Keys(s.attributes)) {
			if !taken[name] {
				stays = append(stays, name)
			}
		}
		over, unknown := false, false
		ask := func(key, member, label string) {
			p := m.tracker(i, key, &s, taken)
			for member, at := range p.seen {
				if generation-at >= m.generations {
					delete(p.seen, member)
				}
			}
			_, holds := p.seen[member]
			room := len(p.seen) < p.max
			if holds || room {
				wants = append(wants, want{p, member, label})
			}
			if holds || room && !s.stale {
				return
			}
			over, unknown = true, unknown || room
			if label != "" && l.Action == Strip && !l.DryRun {
				taken[label] = true
			}
		}
		if l.MaxValues > 0 {
			for _, name := range stays {
				ask(fmt.Sprintf("%q %s", key, name), s.attributes[name], name)
			}
		} else {
			member := fmt.Sprint(s.mark || len(taken) > 0)
			for _, name := range stays {
				member += fmt.Sprintf("%s=%q", name, s.attributes[name])
			}
			if l.Streams {
				member += fmt.Sprintf("%q", []string{s.resource, s.scope, s.metric})
			}
			ask(fmt.Sprintf("%q", key), member, "")
		}
		if !over {
			continue
		}
		a := l.Action
		if unknown && a == Tag {
			continue
		}
		if unknown {
			a = Drop
		}
		if l.DryRun {
			observed[i] = a
		} else if a > action {
			action, limit = a, i
		}
		if action >= Overflow {
			break // later limits do not decide
		}
	}
	if action == Overflow {
		m.giveOverflowPlace(limit, &s, generation)
	}
	if action <= Strip && !s.stale {
		for _, w := range wants {
			if !taken[w.label] {
				w.p.seen[w.member] = generation
			}
		}
	}
	return action, limit, observed
}

// giveOverflowPlace gives the overflow series of limit i, whose only attribute is the mark, its one place under each later
// limit on series with a free one.
func (m *model) giveOverflowPlace(i int, s *testPoint, generation int64) {
	series := *s
	series.attributes = map[string]string{}
	for at := i + 1; at < len(m.specs); at++ {
		l := m.specs[at]
		if l.MaxValues > 0 {
			continue
		}
		var key []string
		for _, p := range l.Key {
			key = append(key, series.part(p.String(), nil))
		}
		member := fmt.Sprint(true)
		if l.Streams { // the other identity of the series, from the key of the limit that folds
			member += "overflow"
			for _, p := range m.specs[i].Key {
				if p.source == fromMetadata || p.source == fromResource {
					member += fmt.Sprintf("%s=%q", p, series.part(p.String(), nil))
				}
			}
			member += fmt.Sprintf("%q", s.metric)
		}
		p := m.tracker(at, fmt.Sprintf("%q", key), &series, nil)
		for member, seen := range p.seen {
			if generation-seen >= m.generations {
				delete(p.seen, member)
			}
		}
		if _, holds := p.seen[member]; !s.stale && (holds || len(p.seen) < p.max) {
			p.seen[member] = generation
		}
	}
}

// tracker returns the places of a key. Their number is that of the first override that matches the first point of the key.
func (m *model) tracker(i int, key string, s *testPoint, taken map[string]bool) *places {
	p := m.places[i][key]
	if p == nil {
		l := m.specs[i]
		p = &places{max: max(l.MaxSeries, l.MaxValues), seen: map[string]int64{}}
		for _, o := range l.Overrides {
			match := len(o.Metrics) == 0 || o.Metrics.has(s.metric)
			for part, want := range o.Equals {
				match = match && s.part(part.String(), taken) == want
			}
			if match {
				p.max = o.Max
				break
			}
		}
		m.places[i][key] = p
	}
	return p
}

// sweep removes the empty keys.
func (m *model) sweep(generation int64) {
	for _, keys := range m.places {
		maps.DeleteFunc(keys, func(_ string, p *places) bool {
			return !slices.ContainsFunc(slices.Collect(maps.Values(p.seen)), func(at int64) bool { return generation-at < m.generations })
		})
	}
}

func randomSpecs(t *testing.T, rng *rand.Rand) (specs []Spec) {
	all := []string{"metadata.m", "resource.r", "scope.name", "metric.name", "attribute.a"}
	for i := range 1 + rng.IntN(5) {
		rng.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
		l := Spec{Name: fmt.Sprint("l", i), Key: parts(t, all[:1+rng.IntN(3)]...), DryRun: rng.IntN(4) == 0, Streams: rng.IntN(3) == 0}
		most := 1 + rng.IntN(12)
		if rng.IntN(3) == 0 {
			l.MaxValues, l.Streams = most, false
			l.Action = []Action{Tag, Strip, Strip, Overflow, Drop}[rng.IntN(5)]
		} else {
			l.MaxSeries = most
			l.Action = []Action{Tag, Overflow, Drop}[rng.IntN(3)]
		}
		for range rng.IntN(3) {
			o := Override{Equals: map[Part]string{}, Max: 1 + rng.IntN(30)}
			if rng.IntN(2) == 0 && slices.Contains(l.Key, Part{source: fromMetric}) {
				o.Metrics = Names{regexp.MustCompile(fmt.Sprintf("^(?:m%d)$", rng.IntN(3)))}
			} else {
				o.Equals[l.Key[rng.IntN(len(l.Key))]] = []string{"", "0", "1"}[rng.IntN(3)]
			}
			l.Overrides = append(l.Overrides, o)
		}
		specs = append(specs, l)
	}
	return specs
}

func randomSample(rng *rand.Rand) testPoint {
	few := func() string { return fmt.Sprint(rng.IntN(2)) }
	s := testPoint{
		resource: few(), scope: few(), metric: fmt.Sprint("m", rng.IntN(4)),
		attributes: map[string]string{}, mark: rng.IntN(20) == 0, stale: rng.IntN(20) == 0,
	}
	if s.mark && rng.IntN(2) == 0 {
		return s
	}
	for _, name := range []string{"a", "b", "c"} {
		if rng.IntN(5) > 0 {
			s.attributes[name] = fmt.Sprint(rng.IntN(1 + rng.IntN(20)))
		}
	}
	return s
}

func offer(c *Cursor, s testPoint) Decision {
	r, sc, m, a := pcommon.NewResource(), pcommon.NewInstrumentationScope(), pmetric.NewMetric(), pcommon.NewMap()
	r.Attributes().PutStr("r", s.resource)
	sc.SetName(s.scope)
	m.SetName(s.metric)
	for _, name := range slices.Sorted(maps.Keys(s.attributes)) {
		a.PutStr(name, s.attributes[name])
	}
	if s.mark {
		a.PutBool(Mark, true)
	}
	c.Resource(r)
	c.Scope(sc)
	c.Metric(m)
	return c.Decide(a, s.stale)
}

// Every decision is that of an exact reference, with several limits of both kinds, overrides, dry runs, all actions, marked and
// stale points, generations and jumps of time.
func TestDecisionsAgreeWithModel(t *testing.T) {
	const streams, points = 250, 1_000
	decided := map[Action]int{}
	objections := 0
	for seed := range uint64(streams) {
		rng := rand.New(rand.NewPCG(seed, 11))
		now, generations := time.Unix(1e9, 0), 2+rng.IntN(tracker.MaxGenerations-1)
		specs := randomSpecs(t, rng)
		s, err := NewSet(specs, Options{
			Exempt: Names{regexp.MustCompile("^(?:m3)$")}, Window: time.Hour, MaxKeys: 100_000, Seed: seed,
			Now: func() time.Time { return now },
			Tracker: tracker.Options{
				ExactUpTo: 1000, FalsePositiveRate: 1e-4, Generations: generations, Budget: budget.New(1 << 30),
			},
		})
		require.NoError(t, err)
		m := &model{generations: int64(generations), exempt: s.options.Exempt[0]}
		for i := range s.limits {
			m.specs = append(m.specs, s.limits[i].Spec)
			m.places = append(m.places, map[string]*places{})
		}
		var last testPoint
		for at := 0; at < points; {
			if rng.IntN(20) == 0 {
				now = now.Add(time.Duration(rng.Int64N(int64(time.Hour) / 2)))
			}
			if rng.IntN(20) == 0 {
				s.Sweep()
				m.sweep(s.generationAt(now.UnixNano()))
			}
			tenant := fmt.Sprint(rng.IntN(2))
			c := s.Begin(headers{"m": {tenant}})
			for range 1 + rng.IntN(10) {
				p := randomSample(rng)
				if p.tenant = tenant; rng.IntN(2) == 0 { // neighbours often have the same key
					p.resource, p.scope, p.metric = last.resource, last.scope, last.metric
				}
				last = p
				before := slices.Clone(c.Counts.observed)
				action, limit, observed := m.decide(p, s.generationAt(now.UnixNano()))
				got := offer(c, p)
				require.Equalf(t, [2]any{action, limit}, [2]any{got.Action, got.Limit}, "stream %d, point %d: %+v", seed, at, p)
				for i, a := range observed {
					before[i][a]++
				}
				require.Equalf(t, before, c.Counts.observed, "stream %d, point %d: %+v", seed, at, p)
				decided[action]++
				objections += len(observed)
				at++
			}
			c.End()
		}
	}
	t.Logf("%d decisions in %d streams: %v, and %d objections of dry runs", streams*points, streams, decided, objections)
	for a := Pass; a < actions; a++ {
		require.Greater(t, decided[a], 1000, a)
	}
	require.Greater(t, objections, 1000)
}
