package cardinalitylimit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// live is a processor that folds all streams of a sum of live streams, except the first.
func live(t *testing.T) *rig {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	r.export()
	return r
}

// export sends streams with the value 1 each, and one that keeps the place.
func (r *rig) export(ids ...string) {
	b := newBatch("orders")
	points := b.sum("connections", cumulative, false)
	for _, id := range append([]string{"incumbent"}, ids...) {
		put(points, 1, harness.NewClock().Now(), r.clock.Now(), "id", id)
	}
	r.send(b.md)
	r.sink.drain()
}

// Ten connections are alive at a time, and new ones replace them each minute. A dead connection counts in the sum for two
// exports, not for a window.
func TestDeadConnectionsLeaveTheSum(t *testing.T) {
	r := live(t)
	for round := range 4 * 360 { // four windows, every ten seconds
		r.clock.Add(10 * time.Second)
		var ids []string
		for k := range 10 {
			ids = append(ids, fmt.Sprint(round/6, k))
		}
		r.export(ids...)
		value := r.flushed()[0].value
		if round%6 >= 3 {
			require.EqualValues(t, 10, value, "round %d", round)
		}
		require.LessOrEqual(t, value, int64(20))
		r.maintain()
	}
}

// A stream that is missing in some collections ends after a long silence: five minutes, or three of its own intervals.
func TestAbsenceOfRareStreams(t *testing.T) {
	r := live(t)
	sum := func() int64 {
		got := r.flushed()
		if len(got) == 0 {
			return 0
		}
		return got[0].value
	}
	r.export("once", "rare")
	for minute := 1; minute <= 60; minute++ {
		r.clock.Add(time.Minute)
		switch {
		case minute%10 == 0 && minute <= 30:
			r.export("rare")
		default:
			r.export()
		}
		want := int64(0)
		if minute <= 5 {
			want++ // once
		}
		if minute <= 5 || minute >= 10 && minute <= 60 {
			want++ // a rare stream: its interval is known from its second point on
		}
		require.Equal(t, want, sum(), "minute %d", minute)
		r.maintain()
	}
	r.clock.Add(time.Minute)
	r.export()
	require.Zero(t, sum())
}

// The streams of a writer without any more points end after the idle timeout.
func TestSilentWriterLeavesTheSum(t *testing.T) {
	r := live(t)
	for range 5 {
		r.clock.Add(10 * time.Second)
		r.export("a", "b")
	}
	require.EqualValues(t, 2, r.flushed()[0].value)
	r.clock.Add(5 * time.Minute)
	require.EqualValues(t, 2, r.flushed()[0].value)
	r.clock.Add(time.Second)
	require.Empty(t, r.flushed())
}

// The streams in a sum of gauges that a rule folds end as those of other sums do.
func TestDeadGaugesLeaveTheSumOfARule(t *testing.T) {
	r := newRig(t, gaugeRule("sum"))
	for range 4 {
		r.sendGauges(1, 2)
		require.EqualValues(t, 3, r.flushed()[0].value)
	}
	for range 3 {
		r.sendGauges(1)
	}
	require.EqualValues(t, 1, r.flushed()[0].value)
}
