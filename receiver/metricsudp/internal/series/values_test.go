package series

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// A counter emits the sum of value/rate, minus the fraction that it carries over.
func TestCounterConservation(t *testing.T) {
	for _, tables := range []int{1, 2, 4} {
		rng := rand.New(rand.NewPCG(1, uint64(tables)))
		o := testOptions()
		o.Tables, o.Monotonic = tables, false
		g := newGroup(o)
		want, got := map[string]float64{}, map[string]float64{}
		collect := func() {
			for id, s := range g.flush() {
				got[id] += float64(whole(s))
				s.Clear()
			}
		}
		for range 20_000 {
			name := fmt.Sprint("m", rng.IntN(50))
			value, rate := float64(rng.IntN(2000)-500)/4, []float64{1, 1, 0.5, 0.3, 0.1, 0.7}[rng.IntN(6)]
			g.add(rng.IntN(tables), 0, fmt.Sprintf("%s:%v|c|@%v", name, value, rate))
			want[name+"|counter"] += value / rate
			if rng.IntN(1000) == 0 {
				collect()
			}
		}
		collect()
		require.Len(t, got, len(want))
		for id := range want {
			assert.InDelta(t, want[id], got[id], 1, "%s with %d tables", id, tables)
		}
	}
}

func TestIntCounterIsExactAndSaturates(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "big:9007199254740993|c", "top:9223372036854775807|c", "top:9223372036854775807|c")
	found := g.flush()
	assert.Equal(t, int64(9007199254740993), whole(must(t, found, "big|counter")))
	assert.Equal(t, int64(math.MaxInt64), whole(must(t, found, "top|counter")))
}

func TestFloatCounter(t *testing.T) {
	o := testOptions()
	o.IntCounters = false
	g := newGroup(o)
	g.add(0, 0, "a:0.5|c", "a:1|c|@0.3", "a:1e20|c|@0.5")
	_, real := must(t, g.flush(), "a|counter").value.(*SumValue).Sum()
	assert.InEpsilon(t, 0.5+1/0.3+2e20, real, 1e-15)
}

// Values count 1/rate times and carry the fraction over: across tables and epochs no fraction is lost.
func TestDistributionWeights(t *testing.T) {
	o := testOptions()
	o.Tables = 2
	g := newGroup(o)
	var count uint64
	for i := range 300 {
		g.add(i%2, 0, "d:5|d|@0.3")
		if i%7 == 0 {
			s := must(t, g.flush(), "d|distribution")
			count += s.value.(*DistributionValue).Histogram().Count
			s.Clear()
		}
	}
	if s, ok := g.flush()["d|distribution"]; ok {
		count += s.value.(*DistributionValue).Histogram().Count
	}
	assert.InDelta(t, 1000, float64(count), 1)
}

// A rate is a weight, not a number of repetitions: this line counts a million times.
func TestSmallRateIsOneRecord(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "d:5|d|@0.000001", "c:5|c|@0.000001", "d:1|d|@1e-300")
	found := g.flush()
	assert.Equal(t, uint64(1_000_000), must(t, found, "d|distribution").value.(*DistributionValue).Histogram().Count)
	assert.Equal(t, int64(5_000_000), whole(must(t, found, "c|counter")))
	assert.Equal(t, uint64(1), g.stats.Rejected[line.RateTooSmall])
}

func TestGaugeLastWriteWinsAcrossTables(t *testing.T) {
	type write struct {
		table int
		at    int64
		value string
	}
	tests := []struct {
		name   string
		writes []write
		want   float64
	}{
		{"later of two tables", []write{{0, 2, "5"}, {1, 1, "7"}}, 5},
		{"later of two tables, other way", []write{{0, 1, "5"}, {1, 2, "7"}}, 7},
		{"change of unknown", []write{{0, 1, "+5"}, {1, 2, "-2"}}, 3},
		{"change after the absolute of another", []write{{0, 1, "10"}, {1, 2, "+5"}}, 15},
		{"change before the absolute of another", []write{{1, 1, "+5"}, {0, 2, "10"}}, 10},
		{"own change after own absolute", []write{{0, 1, "10"}, {0, 2, "-4"}, {1, 1, "+1"}}, 6},
		{"overwritten with its changes", []write{{0, 1, "10"}, {0, 2, "+1"}, {1, 3, "20"}}, 20},
		{"packed", []write{{0, 1, "10:+1:+1"}}, 12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions()
			o.Tables = 2
			g := newGroup(o)
			for _, w := range tt.writes {
				g.add(w.table, w.at, "g:"+w.value+"|g")
			}
			s := must(t, g.flush(), "g|gauge")
			assert.InDelta(t, tt.want, s.value.(*LastValue).Gauge, 0)
			g.add(1, 10, "g:+1|g") // the value remains after the interval
			g.flush()
			assert.InDelta(t, tt.want+1, s.value.(*LastValue).Gauge, 0)
		})
	}
}

func TestSetsMergeAcrossTables(t *testing.T) {
	o := testOptions()
	o.Tables = 2
	g := newGroup(o)
	for i := range 3000 {
		g.add(i%2, 0, fmt.Sprintf("u:user%d|s", i%100))
	}
	s := must(t, g.flush(), "u|set")
	assert.Equal(t, int64(100), s.value.(*UniqueValue).Members())
	s.Clear()
	g.add(0, 0, "u:user1|s")
	g.flush()
	assert.Equal(t, int64(1), s.value.(*UniqueValue).Members())
}

func TestTimestampsStandApart(t *testing.T) {
	o := testOptions()
	o.TimedPoints = 3
	g := newGroup(o)
	g.add(0, 0, "a:1:2|c|T1700000000|@0.5", "a:5|c", "g:+7|g|T1700000001", "g:8|g|T1700000002", "d:1|d|T1700000000")
	e := g.tables[0].active
	require.Len(t, e.Timed, 3)
	assert.Equal(t, int64(2), e.Timed[0].Whole)
	assert.Equal(t, int64(4), e.Timed[1].Whole)
	assert.Equal(t, int64(1_700_000_000_000_000_000), e.Timed[0].Time)
	assert.InDelta(t, 7, e.Timed[2].Real, 0)
	found := g.flush()
	assert.Equal(t, uint64(1), g.stats.DroppedPoints)
	assert.Equal(t, int64(5), whole(must(t, found, "a|counter")))
	assert.Equal(t, uint64(1), must(t, found, "d|distribution").value.(*DistributionValue).Histogram().Count)
}
