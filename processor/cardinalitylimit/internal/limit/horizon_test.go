package limit

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
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

// Series unknown to a limit may have left as themselves until its horizon. A dry run has none. This is so for new and for known
// series, and after a restart.
func TestHorizon(t *testing.T) {
	const at = 77
	for name, spec := range map[string]Spec{
		"series": {Name: "l", Key: parts(t, "metric.name"), MaxSeries: 2, Action: Overflow},
		"values": {Name: "l", Key: parts(t, "metric.name"), MaxValues: 2, Action: Strip},
	} {
		for _, dryRun := range []bool{false, true} {
			spec.DryRun = dryRun
			want := int64(at)
			if dryRun {
				want = 0
			}
			s, restored := newSet(t, spec), newSet(t, spec)
			require.Zero(t, decide(s, nil, "", "", "m", "id", "1").Horizon, name)
			s.NoteUnknownUntil(0, at)
			c, attrs, metric := s.Begin(headers{}), pcommon.NewMap(), pmetric.NewMetric()
			attrs.PutStr("id", "1")
			metric.SetName("m")
			c.Resource(pcommon.NewResource())
			c.Scope(pcommon.NewInstrumentationScope())
			c.Metric(metric)
			for range 2 { // the second time no lock is needed
				require.Equal(t, want, c.Decide(attrs, false).Horizon, "%s: a known series", name)
			}
			c.End()
			require.Equal(t, want, decide(s, nil, "", "", "m", "id", "2").Horizon, "%s: a new series", name)
			require.Equal(t, want, decide(s, nil, "", "", "n", "id", "1").Horizon, "%s: a new key", name)
			s.limits[0].trackers.maxKeys = 0
			require.Equal(t, want, decide(s, nil, "", "", "o", "id", "1").Horizon, "%s: a key that shares a tracker", name)
			restore(t, store(t, s), restored)
			require.Equal(t, want, decide(restored, nil, "", "", "m", "id", "2").Horizon, "%s: a restored key", name)
		}
	}
}

// If there is no memory for the places of a key after a restart, they are known to be forgotten.
func TestPlacesWithoutRoom(t *testing.T) {
	spec := Spec{Name: "series", Key: parts(t, "metric.name"), MaxSeries: 900, Action: Drop}
	s := newSet(t, spec)
	for i := range 900 {
		decide(s, nil, "", "", "m", "id", fmt.Sprint(i))
	}
	o := s.options
	o.Tracker.Budget = budget.New(1024)
	small, err := NewSet([]Spec{spec}, o)
	require.NoError(t, err)
	restore(t, store(t, s), small)
	require.Equal(t, o.Now().UnixNano(), decide(small, nil, "", "", "m", "id", "0").Horizon)
}

// An entry in the shard of another key would never be found. So such a snapshot is corrupt.
func TestEntryInTheWrongShard(t *testing.T) {
	spec := Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 2, Action: Drop}
	for shard, want := range map[uint64]error{0: nil, 1: snapshot.ErrCorrupt} {
		s := newSet(t, spec)
		from, err := snapshot.Open(t.Context(), memory{}, 1)
		require.ErrorIs(t, err, snapshot.ErrMissing)
		require.NoError(t, from.Write(t.Context(), true, snapshot.Section{Name: "l", Encode: func(e *snapshot.Encoder) {
			l := s.limits[0]
			l.trackers.shards[0].keys[shard<<(64-shardBits)] = l.trackers.newEntry(2, 0)
			s.Encode(0, e)
		}}))
		d, err := from.Read(t.Context(), "l")
		require.NoError(t, err)
		require.ErrorIs(t, newSet(t, spec).Decode(0, d), want)
	}
}
