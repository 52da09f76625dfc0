package limit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
)

// A point with as many attributes as allowed is read at once.
func TestReadAtTheBound(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop})
	c := s.Begin(headers{})
	defer c.End()
	attrs := pcommon.NewMap()
	attrs.PutStr("name", "value")
	for limits, within := range map[oversize.Limits]bool{
		{MaxCount: 1, MaxNameBytes: 4, MaxValueBytes: 5}: true,
		{MaxNameBytes: 3}:  false,
		{MaxValueBytes: 4}: false,
	} {
		bounds := limits.Bounds()
		require.Equal(t, within, c.Read(attrs, &bounds), limits)
	}
	attrs.PutStr("other", "value")
	bounds := (&oversize.Limits{MaxCount: 1}).Bounds()
	require.False(t, c.Read(attrs, &bounds))
}

// Each check of a shared tracker counts once, even if the point first waits as a stranger. The place of the overflow series is
// checked, too.
func TestSharedChecksAreCounted(t *testing.T) {
	spec := func(name string, places int) Spec {
		return Spec{Name: name, Key: parts(t, "metric.name"), MaxSeries: places, Action: Overflow}
	}
	s := newSet(t, spec("first", 1), spec("second", 10))
	for _, l := range s.limits {
		l.trackers.maxKeys = 0
	}
	c := s.Begin(headers{})
	defer c.End()
	c.Resource(pcommon.NewResource())
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(pmetric.NewMetric())
	offer := func(id string) (checks int64) {
		before := c.Counts.Shared
		attrs := pcommon.NewMap()
		attrs.PutStr("id", id)
		c.ReadAgain(attrs)
		var d Decision
		if !c.DecideKnown(&d, attrs, false) {
			c.Decide(attrs, false)
		}
		return c.Counts.Shared - before
	}
	require.EqualValues(t, 2, offer("1"), "both limits")
	require.EqualValues(t, 2, offer("2"), "the first limit, and the second for the overflow series")
}

// A limit that does not match a metric has no place for its overflow series.
func TestOverflowSeriesUnderOtherLimits(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Overflow},
		Spec{Name: "other", Key: []Part{}, MaxSeries: 10, Action: Drop, Match: Match{Metrics: namesOf("n")}})
	decide(s, nil, "", "", "m", "id", "1")
	require.Equal(t, Overflow, decide(s, nil, "", "", "m", "id", "2").Action)
	require.Zero(t, s.Sweep()[1].Series)
}

// A limit on values does not count an attribute of a resource that an earlier limit has removed.
func TestRemovedResourceAttributeIsNotCounted(t *testing.T) {
	spec := func(name string, a Action) Spec {
		return Spec{Name: name, Key: parts(t, "metric.name"), MaxValues: 1, ResourceValues: namesOf("r"), Action: a}
	}
	s := newSet(t, spec("first", Strip), spec("second", Drop))
	require.Equal(t, Pass, decide(s, nil, "1", "", "m").Action)
	require.Equal(t, Strip, decide(s, nil, "2", "", "m").Action)
}

// A stale point wants no place, so it is no offence.
func TestStalePointIsNoOffence(t *testing.T) {
	now := time.Unix(1e9, 0)
	board, ok := offenders.New(now, offenders.Options{Limits: 1, Count: 1, Window: time.Hour, Budget: budget.New(1 << 24)})
	require.True(t, ok)
	o := newSet(t).options
	o.Board = board
	s, err := NewSet([]Spec{{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop}}, o)
	require.NoError(t, err)
	require.Equal(t, Pass, decideStamped(s, "1", 1).Action)
	require.Equal(t, Drop, decideStale(s, "2").Action)
	require.Zero(t, board.Measure(now).Refused[0])
	require.Equal(t, Drop, decideStamped(s, "2", 1).Action)
	require.EqualValues(t, 1, board.Measure(now).Refused[0])
}

// A series with a place counts in the labels of an offender, too.
func TestKnownSeriesCountInLabels(t *testing.T) {
	now := time.Unix(1e9, 0)
	board, ok := offenders.New(now, offenders.Options{Limits: 1, Count: 1, Window: time.Hour, Budget: budget.New(1 << 24)})
	require.True(t, ok)
	o := newSet(t).options
	o.Board = board
	s, err := NewSet([]Spec{{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 3, Action: Drop}}, o)
	require.NoError(t, err)
	for _, id := range []string{"1", "2", "3", "4"} { // the metric gets a profile with its first offence
		decideStamped(s, id, 1)
	}
	c, m := s.Begin(headers{}), pmetric.NewMetric()
	defer c.End()
	m.SetName("m")
	c.Resource(pcommon.NewResource())
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(m)
	for _, id := range []string{"1", "2", "3"} { // from the second on, no lock is needed
		attrs := pcommon.NewMap()
		attrs.PutStr("id", id)
		require.Equal(t, Pass, c.Decide(attrs, false).Action)
	}
	top := board.Measure(now).Top
	require.Len(t, top, 1)
	require.Equal(t, offenders.Subject{Metric: "m"}, top[0].Subject, "the key has no other part")
	require.Len(t, top[0].Labels, 1)
	require.EqualValues(t, 4, top[0].Labels[0].Values)
}

// boardSet is a set of one limit with a board that names two metrics.
func boardSet(t *testing.T, spec Spec) (*Set, *offenders.Board, time.Time) {
	now := time.Unix(1e9, 0)
	board, ok := offenders.New(now, offenders.Options{Limits: 1, Count: 2, Window: time.Hour, Budget: budget.New(1 << 24)})
	require.True(t, ok)
	o := newSet(t).options
	o.Board = board
	s, err := NewSet([]Spec{spec}, o)
	require.NoError(t, err)
	return s, board, now
}

// Two metrics of one scope and one key are two offenders.
func TestMetricsOfABatchAreToldApart(t *testing.T) {
	s, board, now := boardSet(t, Spec{Name: "l", Key: []Part{}, MaxSeries: 1, Action: Drop})
	c := s.Begin(headers{})
	defer c.End()
	c.Resource(pcommon.NewResource())
	c.Scope(pcommon.NewInstrumentationScope())
	for _, metric := range []string{"m", "n"} {
		m := pmetric.NewMetric()
		m.SetName(metric)
		c.Metric(m)
		for _, id := range []string{"1", "2"} {
			attrs := pcommon.NewMap()
			attrs.PutStr("id", metric+id)
			c.Decide(attrs, false)
		}
	}
	require.Len(t, board.Measure(now).Top, 2)
}

// Streams of two scopes are two streams without their label, too.
func TestScopesAreToldApartWithoutALabel(t *testing.T) {
	s, board, now := boardSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), Streams: true, MaxSeries: 1, Action: Drop})
	defer board.Subscribe()()
	c := s.Begin(headers{})
	defer c.End()
	c.Resource(pcommon.NewResource())
	for range 2 { // the metric gets a profile with its first offence
		for _, name := range []string{"a", "b"} {
			scope, m := pcommon.NewInstrumentationScope(), pmetric.NewMetric()
			scope.SetName(name)
			m.SetName("m")
			c.Scope(scope)
			c.Metric(m)
			for _, id := range []string{"1", "2", "3"} {
				attrs := pcommon.NewMap()
				attrs.PutStr("id", id)
				c.Decide(attrs, false)
			}
		}
	}
	top := board.Measure(now).Top
	require.Len(t, top, 1)
	require.Len(t, top[0].Labels, 1)
	require.EqualValues(t, 2, top[0].Labels[0].Without)
}

// A cursor that moves back to a resource decides by the attributes of that resource.
func TestReturnToAnotherResource(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxValues: 1, ResourceValues: namesOf("r"), Action: Drop})
	c := s.Begin(headers{})
	defer c.End()
	move := func(value string) {
		r := pcommon.NewResource()
		r.Attributes().PutStr("r", value)
		c.Resource(r)
		c.Scope(pcommon.NewInstrumentationScope())
		c.Metric(pmetric.NewMetric())
	}
	move("1")
	first := c.Save()
	move("2")
	require.Equal(t, Pass, c.Decide(pcommon.NewMap(), false).Action)
	c.Return(first)
	require.Equal(t, Drop, c.Decide(pcommon.NewMap(), false).Action)
}
