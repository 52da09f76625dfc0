package limit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

type memory map[string][]byte

func (m memory) Get(_ context.Context, key string) ([]byte, error) { return m[key], nil }
func (m memory) Set(_ context.Context, key string, v []byte) error { m[key] = v; return nil }
func (m memory) Delete(_ context.Context, key string) error        { delete(m, key); return nil }

// store writes the places of all limits.
func store(t *testing.T, s *Set) *snapshot.Store {
	store, err := snapshot.Open(context.Background(), memory{}, 1)
	require.ErrorIs(t, err, snapshot.ErrMissing)
	for i := range s.limits {
		require.NoError(t, store.Write(context.Background(), true,
			snapshot.Section{Name: s.Name(i), Encode: func(e *snapshot.Encoder) { s.Encode(i, e) }}))
	}
	return store
}

// restore reads them into another set.
func restore(t *testing.T, from *snapshot.Store, into *Set) {
	for i := range into.limits {
		d, err := from.Read(context.Background(), into.Name(i))
		require.NoError(t, err)
		require.NoError(t, into.Decode(i, d), into.Name(i))
	}
}

// After a restart, limits of both kinds decide as without it.
func TestPlacesAreRestored(t *testing.T) {
	specs := []Spec{
		{Name: "label", Key: parts(t, "metric.name"), MaxValues: 5, Action: Drop},
		{Name: "series", Key: parts(t, "metric.name"), MaxSeries: 5, Action: Drop},
	}
	point := func(s *Set, i int) Action {
		return decide(s, nil, "", "", fmt.Sprint("m", i%50), "id", fmt.Sprint(i/50)).Action
	}
	s, restored := newSet(t, specs...), newSet(t, specs...)
	for i := range 500 {
		point(s, i)
	}
	restore(t, store(t, s), restored)
	for _, u := range restored.Sweep() {
		require.EqualValues(t, 50, u.Keys, u.Limit)
		require.EqualValues(t, 50*5, u.Series, u.Limit)
	}
	s.Sweep()
	require.Equal(t, s.options.Tracker.Budget.Used(), restored.options.Tracker.Budget.Used())
	for i := 499; i >= 0; i-- {
		require.Equal(t, i/50 < 5, point(restored, i) == Pass, i)
	}
}

// If there is no memory for the places of the keys that share a tracker, these places are known to be forgotten.
func TestSharedPlacesWithoutRoom(t *testing.T) {
	spec := Spec{Name: "series", Key: parts(t, "metric.name"), MaxSeries: 900, Action: Drop}
	s := newSet(t, spec)
	s.limits[0].trackers.maxKeys = 0
	for i := range 900 {
		decide(s, nil, "", "", "m", "id", fmt.Sprint(i))
	}
	o := s.options
	o.Tracker.Budget = budget.New(1024)
	o.MaxKeys = 0
	small, err := NewSet([]Spec{spec}, o)
	require.NoError(t, err)
	restore(t, store(t, s), small)
	require.Equal(t, o.Now().UnixNano(), decide(small, nil, "", "", "m", "id", "0").Horizon)
}

// A restored key belongs to its override when its next point comes.
func TestOverrideOfARestoredKey(t *testing.T) {
	spec := Spec{
		Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop,
		Overrides: []Override{{Equals: map[Part]string{{source: fromMetric}: "m"}, Max: 7}},
	}
	s, restored := newSet(t, spec), newSet(t, spec)
	require.Equal(t, Pass, decide(s, nil, "", "", "m", "id", "1").Action)
	restore(t, store(t, s), restored)
	require.Equal(t, Pass, decide(restored, nil, "", "", "m", "id", "2").Action)
	require.Equal(t, []OverrideUsage{{Name: "0", Max: 7, Keys: 1, Series: 2, Fullest: 2}}, restored.Sweep()[0].Overrides)
}

// If max_keys is lowered, the places of the keys beyond it are known to be forgotten.
func TestRestoredKeysBeyondTheMaximum(t *testing.T) {
	const keys, maxKeys = 10, 4
	spec := Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop}
	s := newSet(t, spec)
	for key := range keys {
		decide(s, nil, "", "", fmt.Sprint("m", key), "id", "1")
	}
	o := s.options
	o.MaxKeys = maxKeys
	restored, err := NewSet([]Spec{spec}, o)
	require.NoError(t, err)
	used := o.Tracker.Budget.Used()
	restore(t, store(t, s), restored)
	require.EqualValues(t, maxKeys, restored.Sweep()[0].Keys)
	require.Less(t, o.Tracker.Budget.Used()-used, int64(maxKeys*(keyBytes+64)+1))
	restored.limits[0].trackers.maxKeys = keys
	forgotten := 0
	for key := range keys {
		if decide(restored, nil, "", "", fmt.Sprint("m", key), "id", "1").Horizon == o.Now().UnixNano() {
			forgotten++
		}
	}
	require.GreaterOrEqual(t, forgotten, keys-maxKeys, "keys in the shard of a forgotten one count as forgotten, too")
}

// The time until which the shared tracker has forgotten places is restored.
func TestForgottenPlacesOfTheSharedTracker(t *testing.T) {
	now := time.Unix(1e9, 0)
	spec := Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 10, Action: Drop}
	sets := []*Set{newSet(t, spec), newSet(t, spec)}
	for _, s := range sets {
		s.options.Now = func() time.Time { return now }
		s.limits[0].trackers.maxKeys = 0
	}
	decide(sets[0], nil, "", "", "m", "id", "1")
	now = now.Add(3 * time.Hour)
	sets[0].Sweep()
	restore(t, store(t, sets[0]), sets[1])
	require.Equal(t, now.UnixNano(), decide(sets[1], nil, "", "", "m", "id", "2").Horizon)
}
