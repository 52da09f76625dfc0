package limit

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// A value of a label that lost its place had one before.
func TestValueThatLostItsPlace(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, dryRun := range []bool{false, true} {
		s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxValues: 1, Action: Strip, DryRun: dryRun})
		s.options.Now = func() time.Time { return now }
		require.False(t, decide(s, nil, "", "", "m", "id", "1").LostPlace)
		require.False(t, decide(s, nil, "", "", "m", "id", "2").LostPlace)
		now = now.Add(time.Hour)
		require.False(t, decide(s, nil, "", "", "m", "id", "2").LostPlace)
		require.Equal(t, !dryRun, decide(s, nil, "", "", "m", "id", "1").LostPlace)
	}
}

// A rule gives no places, so its limit has no lost places either.
func TestRuleHasNoHorizon(t *testing.T) {
	now := time.Unix(1e9, 0)
	o := newSet(t).options
	o.Now = func() time.Time { return now }
	o.Rules = []Rule{{
		Match:      Match{Metrics: Names{regexp.MustCompile("^(?:m)$")}},
		Labels:     Selection{Names: Names{regexp.MustCompile("^(?:other)$")}},
		MaxStreams: 10,
	}}
	s, err := NewSet([]Spec{{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 10, Action: Drop}}, o)
	require.NoError(t, err)
	decide(s, nil, "", "", "m", "id", "1")
	now = now.Add(3 * time.Hour)
	s.Sweep()
	s.limits[1].trackers.clear(10) // the limit on series has forgotten no place
	for range 2 {                  // the second time every limit knows the series
		require.Zero(t, decide(s, nil, "", "", "m", "id", "1").Horizon)
	}
}

// If a limit cannot be restored, it is empty and has released its memory.
func TestLimitThatCannotBeRestored(t *testing.T) {
	spec := Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 2, Action: Drop}
	s, restored := newSet(t, spec), newSet(t, spec)
	for _, metric := range []string{"m", "n"} {
		require.Equal(t, Pass, decide(s, nil, "", "", metric, "id", "1").Action)
	}
	from, err := snapshot.Open(t.Context(), memory{}, 1)
	require.ErrorIs(t, err, snapshot.ErrMissing)
	require.NoError(t, from.Write(t.Context(), true, snapshot.Section{Name: "l", Encode: func(e *snapshot.Encoder) {
		s.Encode(0, e)
		e.Bool(true)
	}}))
	d, err := from.Read(t.Context(), "l")
	require.NoError(t, err)
	used := restored.options.Tracker.Budget.Used()
	require.ErrorIs(t, restored.Decode(0, d), snapshot.ErrCorrupt)
	require.Equal(t, used, restored.options.Tracker.Budget.Used())
	u := restored.Sweep()[0]
	require.Zero(t, u.Keys)
	require.Zero(t, u.Series)
	require.Zero(t, decide(restored, nil, "", "", "m", "id", "1").Horizon)
}

// A lower max_keys after a restart forgets the places of keys. Their series share a tracker now, but they had a place before.
func TestFewerKeysAfterRestart(t *testing.T) {
	for name, spec := range map[string]Spec{
		"series": {Name: "l", Key: parts(t, "metric.name"), MaxSeries: 2, Action: Overflow},
		"values": {Name: "l", Key: parts(t, "metric.name"), MaxValues: 2, Action: Strip},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			o := newSet(t, spec).options
			o.Now = func() time.Time { return now }
			metrics := []string{"a", "b", "c", "d"}
			before, err := NewSet([]Spec{spec}, o)
			require.NoError(t, err)
			for _, metric := range metrics {
				require.Zero(t, decide(before, nil, "", "", metric, "id", "1").Horizon)
			}
			file, err := snapshot.Open(t.Context(), memory{}, 1)
			require.ErrorIs(t, err, snapshot.ErrMissing)
			require.NoError(t, file.Write(t.Context(), true, snapshot.Section{Name: "l", Encode: func(e *snapshot.Encoder) { before.Encode(0, e) }}))
			d, err := file.Read(t.Context(), "l")
			require.NoError(t, err)

			o.MaxKeys, now = 1, now.Add(time.Second)
			after, err := NewSet([]Spec{spec}, o)
			require.NoError(t, err)
			require.NoError(t, after.Decode(0, d))
			forgotten := 0
			for _, metric := range metrics {
				if decide(after, nil, "", "", metric, "id", "1").Horizon == now.UnixNano() {
					forgotten++
				}
			}
			require.Equal(t, len(metrics)-1, forgotten)
		})
	}
}
