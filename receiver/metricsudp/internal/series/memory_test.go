package series

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The memory of a series at the end of an epoch, if every reader receives it in every epoch. It includes the key and aliases of
// about 70 bytes. Timers have 20 values over three decades, which fill a histogram.
func TestAllocsBytesPerSeries(t *testing.T) {
	if raceDetector {
		t.Skip("in the run without the race detector")
	}
	const n = 2000
	values := make([]string, 20)
	for i := range values {
		values[i] = fmt.Sprint(1 + i*i*3)
	}
	for _, tt := range []struct {
		kind, values string
		readers      int
		most         int64
	}{
		{"c", "1", 1, 750},
		{"c", "1", 4, 1500},
		{"ms", strings.Join(values, ":"), 1, 2300},
		{"ms", strings.Join(values, ":"), 4, 7500},
	} {
		o := testOptions()
		o.MaxSeries, o.MaxAliases, o.Tables = n, 100*n, tt.readers
		before := heap()
		g := newGroup(o)
		send := func() {
			for i := range n {
				for table := range tt.readers {
					g.add(table, 0, fmt.Sprintf("service.requests.%03d:%s|%s|#env:prod,region:eu1,pod:p-%05d,code:200", i, tt.values, tt.kind, i))
				}
			}
		}
		for range 7 { // with a rotation
			send()
			for _, s := range g.flush() {
				s.Clear()
			}
		}
		send()
		per := (heap() - before) / n
		t.Logf("%s with %d readers: %d bytes a series", tt.kind, tt.readers, per)
		assert.LessOrEqual(t, per, tt.most, "%s with %d readers", tt.kind, tt.readers)
		runtime.KeepAlive(g)
	}
}

// A flood of random tags, tag orders, names and kinds through all readers and both epochs: the heap stays below the limit, values
// without room go to the overflow series, and the totals are right.
func TestAllocsStayUnderTheMemoryLimit(t *testing.T) {
	if raceDetector {
		t.Skip("in the run without the race detector")
	}
	const (
		limit = 16 << 20
		// Overflow series are not charged: 20 metrics of each kind.
		constant = 4 << 20
		// These values are counted when they are merged, not when they come.
		slack = 1 << 20
	)
	for _, run := range []struct {
		options Options
		kinds   []string
	}{
		{testOptions(), []string{"c"}},
		{testOptions(), []string{"g", "c"}},
		{testOptions(), []string{"d"}},
		{testOptions(), []string{"s", "c"}},
		{testOptions(), []string{"c", "g", "ms", "d", "s"}},
		{originOptions(), []string{"c", "d"}},
		{mappedOptions(), []string{"ms"}},
		{mappedOptions(), []string{"c", "ms", "d"}},
	} {
		kinds := run.kinds
		t.Run(fmt.Sprintf("%s of %v, origin %d", strings.Join(kinds, ","), run.options.Observers[line.Timer].Aggregation, run.options.Origin), func(t *testing.T) {
			o := run.options
			origins := o.Origin != OriginNone
			o.MaxBytes, o.MaxSeries, o.MaxAliases, o.Tables = limit, 1<<30, 1<<30, 4
			before := heap()
			g := newGroup(o)
			rng := rand.New(rand.NewPCG(1, 2))
			var sent, got [line.Kinds]uint64
			collect := func() {
				for _, s := range g.flush() {
					switch v := s.value.(type) {
					case *SumValue:
						got[s.Metric.Kind] += uint64(v.whole)
					case *DistributionValue:
						if h := v.Histogram(); h != nil {
							got[s.Metric.Kind] += h.Count
						}
					case *SummaryValue:
						count, _ := v.Totals()
						got[s.Metric.Kind] += count
					}
					s.Clear()
				}
			}
			peak := int64(0)
			for i := range 300_000 {
				name, kind := rng.IntN(20), kinds[rng.IntN(len(kinds))]
				value := fmt.Sprint(1 + rng.IntN(1000))
				switch kind {
				case "c":
					value = "1"
					sent[line.Counter]++
				case "ms":
					sent[line.Timer]++
				case "d":
					value = fmt.Sprintf("-5:3:%s", value)
					sent[line.Distribution] += 3
				}
				l := fmt.Sprintf("m%d:%s|%s|#id:%d,%d:x,y:z", name, value, kind, rng.IntN(60_000), rng.IntN(3))
				if origins {
					l = fmt.Sprintf("m%d:%s|%s|c:ci-%064d|e:cn-web,pu-%036d", name, value, kind, rng.IntN(60_000), rng.IntN(3))
				}
				g.add(rng.IntN(4), 0, l)
				if i%50_000 == 49_000 {
					peak = max(peak, heap()-before)
					collect()
				}
			}
			collect()
			t.Logf("peak %.1f MiB, %d series, %d values to overflow", float64(peak)/(1<<20), g.Len(), g.stats.Overflowed)
			assert.LessOrEqual(t, peak, int64(limit+constant))
			assert.LessOrEqual(t, g.budget.Used(), int64(limit+slack))
			assert.Positive(t, g.stats.Overflowed, "the limit was reached")
			assert.Equal(t, sent, got)
			runtime.KeepAlive(g)
		})
	}
}

// An expired series releases its key, even while its metric has other series.
func TestAllocsKeysAreFreed(t *testing.T) {
	if raceDetector {
		t.Skip("in the run without the race detector")
	}
	const names, limit = 8000, 16 << 20 // a limit for all of the short keys, and a fifth of the long ones
	o := testOptions()
	o.MaxBytes, o.MaxSeries, o.MaxAliases, o.ExpirySwaps = limit, 1<<30, 1<<30, 2
	long := strings.Repeat("x", 8000)
	before := heap()
	g := newGroup(o)
	for from := 0; from < names; from += 1000 {
		for i := range 1000 {
			g.add(0, 0, fmt.Sprintf("m%d:1|c|#%s", from+i, long))
		}
		for range 5 {
			for i := range from + 1000 {
				g.add(0, 0, fmt.Sprintf("m%d:1|c", i))
			}
			g.flush()
		}
	}
	assert.Equal(t, names, g.Len())
	assert.LessOrEqual(t, heap()-before, int64(limit))
	runtime.KeepAlive(g)
}

// The same with explicit buckets, with one point per value, and with summaries of so many values that sketches count them: nothing
// is lost, and all memory is released.
func TestMappedMemory(t *testing.T) {
	for _, limit := range []int64{0, 200_000, 2 << 20, 1 << 30} {
		o := mappedOptions()
		o.MaxBytes, o.Tables, o.ExpirySwaps, o.TimedPoints = limit, 2, 4, 1<<20
		g := newGroup(o)
		rng := rand.New(rand.NewPCG(4, uint64(limit)))
		var sent, got [line.Kinds]uint64
		for range 3 {
			for range 20_000 {
				id := int(math.Exp(rng.Float64() * 5)) // a few series have most of the values
				g.add(rng.IntN(2), 0, fmt.Sprintf("t:1:-2|ms|#id:%d", id), fmt.Sprintf("d:1|d|#id:%d", id), fmt.Sprintf("h:1|h|#id:%d", id))
			}
			sent[line.Timer] += 40_000
			sent[line.Distribution] += 20_000
			sent[line.Histogram] += 20_000
			for _, table := range g.tables {
				got[line.Histogram] += uint64(len(table.active.Timed))
			}
			for _, s := range g.flush() {
				switch v := s.value.(type) {
				case *SummaryValue:
					count, _ := v.Totals()
					got[s.Metric.Kind] += count
				case *ExplicitValue:
					if h := v.Histogram(); h != nil {
						got[s.Metric.Kind] += h.Count
					}
				}
				s.Clear()
			}
		}
		assert.Equal(t, sent, got, "limit %d", limit)
		for range 30 {
			g.flush()
		}
		require.Zero(t, g.Len())
		tables := int64(4 * minEntries * aliasStruct)
		caches := int64(2 * (maxMoveItems*(blockBytes+explicitBytes+8*5) + 4*(histogramBytes+2*sketchBuckets*bucketBytes)))
		assert.LessOrEqual(t, g.budget.Used(), tables+caches)
		assert.GreaterOrEqual(t, g.budget.Used(), int64(0))
	}
}

// Without memory all values go to the overflow series, and none is lost.
func TestWithoutMemoryTotalsAreRight(t *testing.T) {
	o := testOptions()
	o.MaxBytes, o.Tables = 0, 2
	g := newGroup(o)
	for range 3 {
		for i := range 100 {
			g.add(i%2, 0, fmt.Sprintf("a:1|c|#id:%d", i), fmt.Sprintf("d:1:-2|d|#id:%d", i), fmt.Sprintf("u:%d|s|#id:%d", i, i))
		}
		found := g.flush()
		assert.Len(t, found, 3)
		assert.Equal(t, int64(100), whole(must(t, found, "a|counter|overflow")))
		assert.Equal(t, uint64(200), must(t, found, "d|distribution|overflow").value.(*DistributionValue).Histogram().Count)
		assert.Equal(t, int64(100), must(t, found, "u|set|overflow").value.(*UniqueValue).Members())
		for _, s := range found {
			s.Clear()
		}
	}
	assert.Equal(t, uint64(3*(100+200+100)), g.stats.Overflowed)
}

// forget empties a pool. Its items remain charged to the budget.
func forget[T sized](p *pool[T]) {
	for i := range p.caches {
		p.caches[i].free = nil
	}
	p.free, p.low = nil, 0
}

// A series whose values have no room remains in use: it does not expire before its aliases, and gets its values again when there
// is room.
func TestSeriesOutlivesRefusals(t *testing.T) {
	o := testOptions()
	o.ExpirySwaps = 4
	g := newGroup(o)
	g.add(0, 0, "d:1|d")
	d := must(t, g.flush(), "d|distribution")
	d.Clear()
	filled := 0
	for range 10 {
		// Other series use the rest of the budget, and the pools have no free histogram.
		forget(g.aggregators.kinds[line.Distribution].(*tallies[*histogram]).pool)
		forget(g.aggregators.kinds[line.Distribution].(*tallies[*histogram]).small)
		left := max(int(o.MaxBytes-g.budget.Used()), 0) + 1<<20 // more than a rotation frees
		g.budget.Force(left)
		filled += left
		g.add(0, 0, "d:2|d")
		must(t, g.flush(), "d|distribution|overflow").Clear()
	}
	g.budget.Release(filled)
	g.add(0, 0, "d:3|d")
	assert.Same(t, d, must(t, g.flush(), "d|distribution"))
	assert.InDelta(t, 3, d.value.(*DistributionValue).Histogram().Sum, 0)
}

// A histogram or set whose first value was refused has no point.
func TestRefusedFirstValueIsNoPoint(t *testing.T) {
	many := "d" + strings.Repeat(":-1", smallTallyValues+1) + "|d"
	for in, left := range map[string]int{many: histogramBytes + MaxBuckets*bucketBytes, "d:-1|d": smallTallyBytes - 1, "u:x|s": membersBytes} {
		g := newGroup(testOptions())
		g.add(0, 0, in)
		for _, s := range g.flush() {
			s.Clear()
		}
		forget(g.aggregators.kinds[line.Distribution].(*tallies[*histogram]).pool)
		forget(g.aggregators.kinds[line.Distribution].(*tallies[*histogram]).small)
		forget(g.aggregators.kinds[line.Set].(*uniques).pool)
		g.budget.Force(int(g.options.MaxBytes-g.budget.Used()) - left)
		g.add(0, 0, in)
		g.Advance()
		var points []bool // one per point: whether it is that of an overflow series
		g.tables[0].Swap().Merge(func(s *Series, values bool) {
			if values {
				points = append(points, s.Overflow)
			}
		})
		assert.Equal(t, []bool{true}, points, in)
	}
}

// The budget is empty again after all series have expired.
func TestMemoryComesBack(t *testing.T) {
	o := testOptions()
	o.Tables, o.ExpirySwaps, o.SetLimit = 2, 4, 10
	g := newGroup(o)
	empty := g.budget.Used()
	for round := range 3 {
		for i := range 900 {
			for table := range 2 {
				g.add(table, 0, fmt.Sprintf("a%d:1|c|#r:%d", i, round), fmt.Sprintf("b:-1:1|d|#id:%d", i%100), fmt.Sprintf("u:%d|s|#id:%d", i, i%5))
			}
		}
		full := g.budget.Used()
		require.Greater(t, full, empty+900*500)
		for range 30 {
			for _, s := range g.flush() {
				s.Clear()
			}
		}
		require.Zero(t, g.Len())
		tables := int64(4 * minEntries * aliasStruct)
		caches := int64(2 * maxMoveItems * (histogramBytes + 2*MaxBuckets*bucketBytes + membersBytes + 8*minSetSlots + 4096))
		assert.LessOrEqual(t, g.budget.Used(), tables+caches)
		assert.GreaterOrEqual(t, g.budget.Used(), int64(0))
	}
}

// minSetSlots is an upper bound of the slots of a counter with 10 members.
const minSetSlots = 64
