package fold

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// replica is one of several writers of a stream.
type replica struct {
	start, value int64
}

// foldOne folds a point of stream 1 and returns the counted growth.
func foldOne(table *Table, start, at, value int64) Stats {
	b := table.Batch()
	b.Add(Point{Target: 1, Stream: 1, Writer: 7, Start: start, Time: at, Value: Value{&number{i: value}}}, func() Series {
		return series(1, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, true)
	})
	b.Commit()
	return table.TakeStats()
}

func sumOf(table *Table) int64 { return total(table.accumulators[1].value) }

// restarted is the table after a restart with its storage.
func restarted(t *testing.T, table *Table) *Table {
	again, _ := newTable(100)
	again.Restore(stored(t, table.Cut()), false)
	return again
}

// Up to four writers of one identity, in any order and with restarts, add up to their growth.
func TestReplicasOfOneIdentity(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		table, _ := newTable(100)
		replicas := make([]replica, 1+rng.IntN(4))
		at, want := begun+int64(time.Hour), int64(0)
		for i := range replicas {
			replicas[i].start = begun + int64(i+1)*int64(time.Minute)
		}
		restarts := 0
		for range 300 {
			at += int64(time.Second)
			r := &replicas[rng.IntN(len(replicas))]
			if len(replicas) == 1 && rng.IntN(20) == 0 || len(replicas) < 4 && restarts < 4-len(replicas) && rng.IntN(50) == 0 {
				restarts++
				r.start, r.value = at, 0
				at += int64(time.Second)
			}
			grown := rng.Int64N(100)
			r.value += grown
			want += grown
			foldOne(table, r.start, at, r.value)
			if rng.IntN(30) == 0 {
				table = restarted(t, table)
			}
		}
		require.Equal(t, want, sumOf(table), "seed %d", seed)
	}
}

// Two writers that report the same times, as scraped replicas do, add up to their growth: 9,000, not 94,500.
func TestTwoReplicasCountOnce(t *testing.T) {
	table, _ := newTable(100)
	for i := int64(1); i <= 45; i++ {
		at := begun + int64(time.Minute)*i
		foldOne(table, begun+1, at, 100*i)
		foldOne(table, begun+int64(10*time.Second), at, 100*i)
	}
	require.EqualValues(t, 9000, sumOf(table))
}

// A fifth writer counts nothing while four continue, and never too much.
func TestAFifthReplica(t *testing.T) {
	table, _ := newTable(100)
	lost := int64(0)
	for i := int64(1); i <= 20; i++ {
		for k := range int64(5) {
			stats := foldOne(table, begun+1+k*int64(10*time.Second), begun+int64(time.Hour)+i, 10*i)
			lost += stats[StatUnbaselined]
		}
	}
	require.EqualValues(t, 4*200, sumOf(table))
	require.EqualValues(t, 20, lost)
}

// A start that moves by less than five seconds is one stream. If its value fell, it is another one.
func TestJitteringStarts(t *testing.T) {
	table, _ := newTable(100)
	rng := rand.New(rand.NewPCG(1, 1))
	at := begun + int64(time.Hour)
	for i := int64(1); i <= 100; i++ {
		foldOne(table, begun+int64(time.Minute)+rng.Int64N(int64(4*time.Second)), at+i*int64(time.Second), 10*i)
	}
	require.EqualValues(t, 1000, sumOf(table))
	foldOne(table, begun+int64(time.Minute)+int64(time.Second)/2+1, at+101*int64(time.Second), 7)
	require.EqualValues(t, 1007, sumOf(table), "a first value")
}

// passing lets a point of stream 1 pass and returns the form in which it is sent.
func passing(table *Table, start, at, value int64) (seen Admitted, shown int64) {
	b := table.Batch()
	seen = b.Admit(Point{Stream: 1, Start: start, Time: at, Value: Value{&number{i: value}}})
	b.Commit()
	shown = value
	if !seen.Same && !seen.Drop {
		shown = seen.Value.measure.(*number).i
	}
	return seen, shown
}

// Replicas that pass after they were folded leave with the growth of each since then, each under one start of its own. So the
// overflow series and the passing points add up, in any order and with restarts of the gateway.
func TestReplicasThatPassAddUp(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		table, _ := newTable(100)
		replicas := make([]replica, 2+rng.IntN(3))
		at, want := begun+int64(time.Hour), int64(0)
		for i := range replicas {
			replicas[i].start = begun + int64(i+1)*int64(time.Minute)
		}
		grow := func() *replica {
			r := &replicas[rng.IntN(len(replicas))]
			at += int64(rng.IntN(2)) * int64(time.Second) // the points of two replicas may have the same time
			at += int64(time.Millisecond)
			grown := rng.Int64N(100)
			r.value += grown
			want += grown
			return r
		}
		for range 50 {
			r := grow()
			foldOne(table, r.start, at, r.value)
		}
		left := make(map[int64]int64) // by start
		for i := range 100 {
			r := grow()
			seen, shown := passing(table, r.start, at, r.value)
			require.False(t, seen.Drop)
			if !seen.Same {
				require.GreaterOrEqual(t, shown, left[seen.Start], "seed %d, point %d", seed, i)
				left[seen.Start] = shown
			}
			if rng.IntN(20) == 0 {
				table = restarted(t, table)
			}
		}
		sum := sumOf(table)
		for _, v := range left {
			sum += v
		}
		require.Equal(t, want, sum, "seed %d", seed)
		require.LessOrEqual(t, len(left), len(replicas))
	}
}

// A replica that restarts while it passes begins anew after the last point of the others.
func TestReplicaThatRestartsWhilePassing(t *testing.T) {
	table, _ := newTable(100)
	a, b := begun+1, begun+int64(time.Minute)
	at := begun + int64(time.Hour)
	foldOne(table, a, at, 100)
	foldOne(table, b, at+1, 50)
	_, shown := passing(table, a, at+10, 110)
	require.EqualValues(t, 10, shown)
	_, shown = passing(table, b, at+11, 53)
	require.EqualValues(t, 3, shown)
	seen, shown := passing(table, at+20, at+30, 7)
	require.EqualValues(t, 7, shown)
	require.Equal(t, at+20, seen.Start)
	_, shown = passing(table, b, at+40, 55)
	require.EqualValues(t, 5, shown)
	// When they are folded again, each continues from its last point.
	before := sumOf(table)
	foldOne(table, b, at+50, 60)
	foldOne(table, at+20, at+51, 9)
	require.Equal(t, before+5+2, sumOf(table))
}
