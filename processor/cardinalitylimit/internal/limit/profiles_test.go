package limit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// newWatchedSet makes limits with a board.
func newWatchedSet(t *testing.T, specs ...Spec) (*Set, *offenders.Board) {
	now, memory := time.Unix(1e9, 0), budget.New(1<<26)
	board, ok := offenders.New(now, offenders.Options{
		Limits: len(specs), Count: 10, Keys: HasKeysOfMetrics(specs, nil), Window: time.Hour, Budget: memory,
	})
	require.True(t, ok)
	s, err := NewSet(specs, Options{
		Window: time.Hour, MaxKeys: 1000, Seed: 1, Now: func() time.Time { return now }, Board: board,
		Tracker: tracker.Options{ExactUpTo: 1000, FalsePositiveRate: 1e-4, Generations: 2, Budget: memory},
	})
	require.NoError(t, err)
	return s, board
}

// labelsOf returns the number of values of each label of the offender of a limit.
func labelsOf(board *offenders.Board, limit int) map[string]int64 {
	values := make(map[string]int64)
	for _, o := range board.Measure(time.Unix(1e9, 0)).Top {
		if o.Limit == limit {
			for _, l := range o.Labels {
				values[l.Name] = l.Values
			}
		}
	}
	return values
}

// The labels of a point count only under the limits that decided on it. An earlier limit may have dropped the point.
func TestLabelsCountUnderTheAskedLimits(t *testing.T) {
	s, board := newWatchedSet(t,
		Spec{Name: "first", Key: parts(t, "resource.r", "metric.name"), MaxSeries: 1, Action: Drop},
		Spec{Name: "second", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Drop},
	)
	require.Equal(t, -1, decide(s, nil, "one", "", "m", "id", "1").Limit)
	require.Equal(t, 1, decide(s, nil, "two", "", "m", "id", "2").Limit, "the second limit has a profile now")
	for id := 3; id < 20; id++ {
		require.Equal(t, 0, decide(s, nil, "one", "", "m", "id", fmt.Sprint(id)).Limit)
	}
	require.Equal(t, map[string]int64{"id": 17}, labelsOf(board, 0))
	require.Equal(t, map[string]int64{"id": 1}, labelsOf(board, 1))
}
