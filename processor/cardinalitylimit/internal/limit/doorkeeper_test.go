package limit

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

func newDoor() *doorkeeper { return &doorkeeper{budget: budget.New(4 << 20)} }

func TestActiveMeansSeenBeforeWithAnotherValue(t *testing.T) {
	d, n := newDoor(), &quota{}
	look := func(series, stamp uint64, slot int64) bool {
		return d.active(n, sighting{series, stamp, slot})
	}
	assert.False(t, look(1, 10, 0), "never seen")
	assert.False(t, look(1, 11, 0), "seen in this slot")
	assert.False(t, look(1, 11, 1), "repeated")
	assert.False(t, look(1, 10, 2), "repeated")
	assert.True(t, look(1, 12, 3))
	assert.False(t, look(1, 13, 3), "asked in this slot")
	assert.True(t, look(1, 14, 9))
	assert.False(t, look(2, 12, 9), "another series")
}

// A sighting is remembered through one exchange of the filters, and not through two.
func TestSightingsAreForgotten(t *testing.T) {
	for later, want := range map[int64]bool{1: true, filterSlots: true, 2*filterSlots - 1: true} {
		d, n := newDoor(), &quota{}
		d.active(n, sighting{1, 1, 0})
		assert.Equal(t, want, d.active(n, sighting{1, 2, later}), later)
	}
	d, n := newDoor(), &quota{}
	d.active(n, sighting{1, 1, 0})
	d.active(n, sighting{2, 1, filterSlots})
	d.active(n, sighting{2, 2, 2 * filterSlots})
	assert.False(t, d.active(n, sighting{1, 2, 2*filterSlots + 1}))
}

// One key writes at most an eighth of a filter. Its sampled sightings are found later.
func TestOneKeyCannotFillTheFilter(t *testing.T) {
	d, flood, other := newDoor(), &quota{}, &quota{}
	rng := rand.New(rand.NewPCG(1, 1))
	active := 0
	for range 1_000_000 {
		if d.active(flood, sighting{rng.Uint64(), 1, 0}) {
			active++
		}
	}
	assert.LessOrEqual(t, flood.written, maxWrittenByKey)
	assert.Greater(t, flood.written, maxWrittenByKey*9/10)
	assert.Zero(t, d.turn)
	assert.Less(t, active, 100, "false positives")
	for series := range uint64(1_000) {
		require.False(t, d.active(other, sighting{series, 1, 1}))
	}
	seen := 0
	for series := range uint64(1_000) {
		if d.active(other, sighting{series, 2, 2}) {
			seen++
		}
	}
	assert.Greater(t, seen, 990)
}

// If eight keys write as much as they may, the filters are exchanged. False positives stay rare.
func TestFullFiltersTurn(t *testing.T) {
	d := newDoor()
	rng := rand.New(rand.NewPCG(1, 1))
	keys := make([]quota, 20)
	active := 0
	const looks = 2_000_000
	for range looks {
		if d.active(&keys[rng.IntN(len(keys))], sighting{rng.Uint64(), 1, 0}) {
			active++
		}
	}
	assert.Positive(t, d.turn)
	assert.Less(t, active, looks/200)
}

func TestWithoutRoomForFiltersEverybodyIsActive(t *testing.T) {
	d := &doorkeeper{budget: budget.New(1 << 20)}
	assert.True(t, d.active(&quota{}, sighting{1, 1, 0}))
	assert.Zero(t, d.budget.Used())
}

// From contested_at on only active strangers get places, until the last one. This does not depend on the order of limits, on
// dry runs and on actions.
func TestContestedPlaces(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, action := range []Action{Drop, Overflow, Tag} {
		s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 10, Action: action})
		s.options.Now = func() time.Time { return now }
		s.limits[0].contestedAt = 0.8
		passes := func(id string, stamp uint64) bool { return decideStamped(s, id, stamp).Action == Pass }
		for _, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
			require.True(t, passes(id, 1), id)
		}
		require.False(t, passes("9", 1))
		require.False(t, passes("10", 1))
		require.EqualValues(t, 8, s.Sweep()[0].Series)
		now = now.Add(slotLength)
		require.False(t, passes("9", 1), "is repeated")
		require.True(t, passes("10", 2), "was active")
		require.False(t, passes("11", 2))
		now = now.Add(slotLength)
		require.True(t, passes("11", 3))
		require.False(t, passes("9", 9), "the key is full")
		require.True(t, passes("1", 1), "an incumbent")
		require.EqualValues(t, 10, s.Sweep()[0].Series)
	}
}

// A value of a label is active if a stream with it is active.
func TestContestedValues(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxValues: 2, Action: Strip})
	s.options.Now = func() time.Time { return now }
	s.limits[0].contestedAt = 0.5
	require.Equal(t, Pass, decideStamped(s, "a", 1).Action)
	require.Equal(t, Strip, decideStamped(s, "b", 1).Action)
	now = now.Add(slotLength)
	require.Equal(t, Strip, decideStamped(s, "b", 1).Action)
	now = now.Add(slotLength)
	require.Equal(t, Pass, decideStamped(s, "b", 2).Action)
	require.Equal(t, Pass, decideStamped(s, "b", 2).Action)
}

// A share of 1 turns the doorkeeper off. Then it needs no memory.
func TestDoorkeeperThatIsOff(t *testing.T) {
	for share, off := range map[float64]bool{1: true, 0.9: false} {
		o := newSet(t).options
		o.ContestedAt = share
		s, err := NewSet([]Spec{{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop}}, o)
		require.NoError(t, err)
		require.Equal(t, Pass, decideStamped(s, "1", 1).Action)
		used := o.Tracker.Budget.Used()
		require.Equal(t, Drop, decideStamped(s, "2", 1).Action)
		require.Equal(t, off, o.Tracker.Budget.Used() == used)
	}
}

// A key has a new quota when the filters are exchanged. After half of its quota every second stranger is sampled, after three
// quarters every fourth.
func TestQuota(t *testing.T) {
	d, q := newDoor(), &quota{}
	d.active(q, sighting{1, 1, 0})
	require.Equal(t, 3, q.written)
	q.written = maxWrittenByKey
	d.active(q, sighting{2, 1, 1})
	require.Equal(t, maxWrittenByKey, q.written)
	d.active(q, sighting{3, 1, filterSlots})
	require.Equal(t, 3, q.written)

	for written, want := range map[int]int{
		0: 1000, maxWrittenByKey/2 - 1: 1000, maxWrittenByKey / 2: 500, maxWrittenByKey*3/4 - 1: 500, maxWrittenByKey * 3 / 4: 250,
		maxWrittenByKey: 0,
	} {
		sampled := 0
		for i := range uint64(1000) {
			if (&quota{written: written}).samples(mixed(i)) {
				sampled++
			}
		}
		require.InDelta(t, want, sampled, 60, written)
	}
}

// A stale point wants no place. So it is not compared with earlier sightings, and its stranger is not folded.
func TestDoorkeeperAndStalePoints(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 2, Action: Overflow})
	s.limits[0].contestedAt = 0.5
	require.Equal(t, Pass, decideStamped(s, "1", 1).Action)
	used := s.options.Tracker.Budget.Used()
	require.Equal(t, Drop, decideStale(s, "2").Action)
	require.Equal(t, used, s.options.Tracker.Budget.Used(), "no filters")
}

// decideStale offers a stale point of decideStamped's metric.
func decideStale(s *Set, id string) Decision {
	c := s.Begin(headers{})
	defer c.End()
	m, a := pmetric.NewMetric(), pcommon.NewMap()
	m.SetName("m")
	a.PutStr("id", id)
	c.Resource(pcommon.NewResource())
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(m)
	return c.Decide(a, true)
}
