package limit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// The usage of an override has the used places of its fullest key, in any order of the keys.
func TestFullestKeyOfAnOverride(t *testing.T) {
	const keys = 10
	for fullest := range keys {
		s := newSet(t, Spec{
			Name: "l", Key: parts(t, "resource.r", "metric.name"), MaxSeries: 100, Action: Drop,
			Overrides: []Override{{Equals: map[Part]string{{source: fromMetric}: "m"}, Max: 10}},
		})
		for key := range keys {
			series := 1
			if key == fullest {
				series = 5
			}
			for id := range series {
				decide(s, nil, fmt.Sprint(key), "", "m", "id", fmt.Sprint(id))
			}
		}
		for range 7 {
			decide(s, nil, "", "", "without override", "id", "1")
		}
		u := s.Sweep()[0].Overrides
		require.Equal(t, []OverrideUsage{{Name: "0", Max: 10, Keys: keys, Series: keys + 4, Fullest: 5}}, u)
	}
}

// A key without used places is not among the fullest keys. The tracker of the keys beyond max_keys is such a key.
func TestEmptyKeysAreNotAmongTheFullest(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "resource.missing", "metric.name"), MaxSeries: 10, Action: Drop})
	require.Empty(t, s.Sweep()[0].Fullest)
	decide(s, nil, "", "", "m", "id", "1")
	require.Equal(t, []KeyUsage{{Key: "metric.name=m", Series: 1, Max: 10}}, s.Sweep()[0].Fullest)
}

// A key counts as near its limit from the share warn_at on. With a warn_at of 0 no key does.
func TestKeysNearTheirLimit(t *testing.T) {
	for warnAt, near := range map[float64]int64{0: 0, 0.5: 2, 0.51: 1, 1: 1} {
		s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 4, Action: Drop, WarnAt: warnAt})
		for key, series := range []int{1, 2, 4} {
			for id := range series {
				decide(s, nil, "", "", fmt.Sprint("m", key), "id", fmt.Sprint(id))
			}
		}
		require.Equal(t, near, s.Sweep()[0].Near, warnAt)
	}
}

// Keys with equal shares of used places are ordered by their texts. At most ten keys are listed.
func TestOrderOfTheFullestKeys(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 2, Action: Drop})
	for key := range 12 {
		decide(s, nil, "", "", fmt.Sprintf("m%02d", key), "id", "1")
	}
	decide(s, nil, "", "", "m11", "id", "2")
	var names []string
	for _, k := range s.Sweep()[0].Fullest {
		names = append(names, k.Key)
	}
	want := []string{"metric.name=m11"}
	for key := range fullestKeys - 1 {
		want = append(want, fmt.Sprintf("metric.name=m%02d", key))
	}
	require.Equal(t, want, names)
}

// A key without used places stays while it remembers lost places.
func TestKeyThatRemembersLostPlaces(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop})
	s.options.Now = func() time.Time { return now }
	first := decide(s, nil, "", "", "m", "id", "1")
	require.Equal(t, Pass, first.Action)
	require.Zero(t, first.Horizon, "no place was lost")
	now = now.Add(time.Hour)
	require.EqualValues(t, 1, s.Sweep()[0].Keys)
	require.Equal(t, Pass, decide(s, nil, "", "", "m", "id", "2").Action)
	d := decide(s, nil, "", "", "m", "id", "1")
	require.Equal(t, Drop, d.Action)
	require.True(t, d.LostPlace)
	now = now.Add(3 * time.Hour)
	require.Zero(t, s.Sweep()[0].Keys)
	require.Equal(t, now.UnixNano(), decide(s, nil, "", "", "m", "id", "3").Horizon, "lost places were forgotten")
}

// A cursor may remember the tracker of a key that a sweep has removed. It does not use that tracker any more.
func TestCursorWithARemovedKey(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop})
	s.options.Now = func() time.Time { return now }
	c := s.Begin(headers{})
	require.Equal(t, Pass, offer(c, testPoint{metric: "m", attributes: map[string]string{"id": "1"}}).Action)
	now = now.Add(3 * time.Hour)
	require.Zero(t, s.Sweep()[0].Keys)
	require.Equal(t, Pass, offer(c, testPoint{metric: "m", attributes: map[string]string{"id": "2"}}).Action)
	require.EqualValues(t, 1, s.limits[0].trackers.keys.Load(), "the key is in the table again")
	c.End()
}

// The first max_keys keys have trackers of their own. Further keys share one.
func TestKeysBeyondTheMaximum(t *testing.T) {
	o := newSet(t).options
	o.MaxKeys = 2
	s, err := NewSet([]Spec{{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop}}, o)
	require.NoError(t, err)
	for i, want := range []Action{Pass, Pass, Pass, Drop, Drop} {
		require.Equal(t, want, decide(s, nil, "", "", fmt.Sprint("m", i), "id", "1").Action, i)
	}
	require.EqualValues(t, 2, s.Sweep()[0].Keys)
}

// A key whose tracker finds no memory reserves nothing and shares a tracker.
func TestKeyWithoutMemory(t *testing.T) {
	o := newSet(t).options
	o.Tracker.Budget = budget.New(1 << 20)
	s, err := NewSet([]Spec{{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop}}, o)
	require.NoError(t, err)
	used := o.Tracker.Budget.Used()
	require.True(t, o.Tracker.Budget.Reserve(1<<20-int(used)-keyBytes))
	for i, want := range []Action{Pass, Drop} {
		require.Equal(t, want, decide(s, nil, "", "", fmt.Sprint("m", i), "id", "1").Action, i)
	}
	require.Equal(t, int64(1<<20-keyBytes), o.Tracker.Budget.Used())
	require.Zero(t, s.Sweep()[0].Keys)
}
