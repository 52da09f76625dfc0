package series

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

func TestTagOrderDoesNotMatter(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "a:1|c|#x:1,y:2,z", "a:1|c|#z,y:2,x:1", "a:1|c|#z:,x:1,,y:2", "a:1|c|@1|#y:2,z,x:1")
	found := g.flush()
	assert.Equal(t, int64(4), whole(must(t, found, "a|counter|x=1|y=2|z=")))
	assert.Len(t, found, 1)
}

func TestOfDuplicateTagsTheGreatestValueHolds(t *testing.T) {
	g := newGroup(testOptions())
	for range 2 { // the second time the lines are known
		g.add(0, 0, "a:1|c|#k:1,k:2,k:2", "a:1|c|#k:2,k:1", "a:1|c|#k:2")
	}
	found := g.flush()
	assert.Equal(t, int64(6), whole(must(t, found, "a|counter|k=2")))
	assert.Len(t, found, 1)
	assert.Equal(t, uint64(2*(2+1)), g.stats.DuplicateTags)
}

func TestManyDuplicateTagsAreCounted(t *testing.T) {
	o := testOptions()
	o.MaxTags = MaxFieldBytes
	g := newGroup(o)
	for range 2 { // the second time the lines are known
		g.add(0, 0, "a:1|c|#"+strings.Repeat("k,", 1000))
	}
	must(t, g.flush(), "a|counter|k=")
	assert.Equal(t, uint64(2*999), g.stats.DuplicateTags)
}

func TestInvalidUTF8IsReplaced(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "n\xff:1|c|#k\xfe:v\x80\xc3", "ok:1|c")
	for _, s := range g.flush() {
		assert.True(t, utf8.ValidString(s.Metric.Name))
		for tag := range s.Tags {
			assert.True(t, utf8.ValidString(tag.Key), "%q", tag.Key)
			assert.True(t, utf8.ValidString(tag.Value), "%q", tag.Value)
			assert.Contains(t, tag.Value, "\uFFFD")
		}
	}
}

func TestNamesAndTagsAreToldApart(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "ab:1|c|#c", "a:1|c|#bc", "abc:1|c", "abc:1|g", "abc:1|c|#", "abc:1|ms", "abc:1|h", "abc:1|d")
	assert.Len(t, g.flush(), 7) // "abc:1|c" and "abc:1|c|#" are the same
}

func TestRefusals(t *testing.T) {
	o := testOptions()
	o.MaxTags = 2
	g := newGroup(o)
	g.add(0, 0,
		"a:1|c|#1,2,3", "a:1|c|#:v", "a:-1|c", "a:1:-1|c", "a:1e19|c", "a:1e18|c|@0.01", "bad", "a:1|x",
		"a:1|c", "_sc|x|0", "_e{1,1}:a|b", "a:-1|g", "a:-1|h", "", "\r",
		"a|b:1|c", "a|c|#x:1|c")
	found := g.flush()
	assert.Equal(t, int64(1), whole(must(t, found, "a|counter")), "a refused line adds none of its values")
	assert.Equal(t, uint64(1), g.stats.Rejected[line.TooManyTags])
	assert.Equal(t, uint64(1), g.stats.Rejected[line.BadTag])
	assert.Equal(t, uint64(2), g.stats.Rejected[line.NegativeCounter])
	assert.Equal(t, uint64(2), g.stats.Rejected[line.OutOfRange])
	assert.Equal(t, uint64(3), g.stats.Rejected[line.NoValue])
	assert.Equal(t, uint64(1), g.stats.Rejected[line.UnknownType])
	assert.Equal(t, uint64(10), totalOf(g.stats.Rejected[:]))
	assert.Equal(t, uint64(5), totalOf(g.stats.Lines[:]))
}

func TestTruncatedDatagramKeepsItsWholeLines(t *testing.T) {
	g := newGroup(testOptions())
	g.tables[0].Datagram([]byte("a:1|c\na:2|c\na:3"), true, 0, netip.Addr{})
	e := g.tables[0].active
	assert.Equal(t, uint64(1), e.Stats.Truncated)
	assert.Equal(t, uint64(1), e.Stats.Rejected[line.Truncated])
	assert.Equal(t, "a:3", string(e.Example(line.Truncated)))
	assert.Equal(t, int64(3), whole(must(t, g.flush(), "a|counter")))
}

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

func TestOverflowKeepsTotals(t *testing.T) {
	o := testOptions()
	o.MaxSeries, o.Tables, o.MaxAliases = 10, 2, 50
	g := newGroup(o)
	for i := range 1000 {
		g.add(i%2, 0, fmt.Sprintf("a:1|c|#id:%d", i), fmt.Sprintf("b:1:2|d|#id:%d", i))
	}
	found := g.flush()
	var count int64
	var observed uint64
	for _, s := range found {
		if s.Metric.Kind == line.Counter {
			count += whole(s)
		} else {
			observed += s.value.(*DistributionValue).Histogram().Count
		}
	}
	assert.Equal(t, int64(1000), count)
	assert.Equal(t, uint64(2000), observed)
	assert.Len(t, found, 10+2)
	assert.Equal(t, uint64(3000-5-2*5), g.stats.Overflowed)
	must(t, found, "a|counter|overflow")
	must(t, found, "b|distribution|overflow")
}

func TestOverflowOfNamesIsBounded(t *testing.T) {
	o := testOptions()
	o.MaxSeries = 1
	g := newGroup(o)
	const names = maxOverflowMetrics + 501
	for i := range names {
		g.add(0, 0, fmt.Sprintf("name%d:1|c", i))
	}
	found := g.flush()
	assert.Len(t, found, 1+maxOverflowMetrics+1)
	assert.Equal(t, int64(500), whole(must(t, found, OverflowKey+"|counter|overflow")))
	assert.Equal(t, 1+maxOverflowMetrics+1, g.Len())
}

func TestIdleSeriesExpireAndMakeRoom(t *testing.T) {
	o := testOptions()
	o.MaxSeries, o.ExpirySwaps = 2, 4
	g := newGroup(o)
	g.add(0, 0, "old1:1|c", "old2:1|c", "new:1|c")
	must(t, g.flush(), "new|counter|overflow")
	for range 4 {
		assert.Equal(t, 3, g.Len())
		g.add(0, 0, "old1:1|c", "new:1|c")
		g.flush()
	}
	assert.Equal(t, 2, g.Len(), "old2 is gone")
	var found map[string]*Series
	for range 4 { // until the alias of the overflow series is looked up again
		g.add(0, 0, "old1:1|c", "new:1|c")
		found = g.flush()
	}
	must(t, found, "new|counter")
	must(t, found, "old1|counter")
}

// An expired series that comes back is one series, even if several tables receive it.
func TestExpiredSeriesComesBackOnce(t *testing.T) {
	for expiry := uint64(2); expiry < 8; expiry++ {
		o := testOptions()
		o.Tables, o.ExpirySwaps = 2, expiry
		g := newGroup(o)
		rng := rand.New(rand.NewPCG(7, expiry))
		sent, got := int64(0), int64(0)
		for range 3000 {
			for table := range 2 {
				if rng.IntN(int(expiry)) == 0 {
					g.add(table, 0, "a:1|c")
					sent++
				}
			}
			g.Advance()
			live := map[*Series]bool{}
			for _, table := range g.tables {
				table.Swap().Merge(func(s *Series, _ bool) { live[s] = true })
			}
			require.LessOrEqual(t, len(live), 1, "two series of one identity")
			var touched []*Series
			for s := range live {
				got += whole(s)
				s.Clear()
				touched = append(touched, s)
			}
			g.Sweep(touched, func(*Series) {})
		}
		assert.Equal(t, sent, got)
	}
}

func TestAliasesAreBounded(t *testing.T) {
	o := testOptions()
	o.MaxAliases, o.Tables = 100, 2
	g := newGroup(o)
	tags := []string{"a:1", "b:2", "c:3", "d:4", "e:5", "f:6"}
	rng := rand.New(rand.NewPCG(5, 6))
	most := 0
	for i := range 5000 {
		rng.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
		g.add(i%2, 0, "m:1|c|#"+strings.Join(tags, ","))
		most = max(most, g.known())
		require.Equal(t, g.aliases.Load(), int64(g.known()), "each costs one")
	}
	assert.Equal(t, 100, most)
	found := g.flush()
	assert.Len(t, found, 1)
	assert.Equal(t, int64(5000), whole(must(t, found, "m|counter|a=1|b=2|c=3|d=4|e=5|f=6")))
}

// One table can use the whole limit, because one client socket reaches one reader.
func TestOneBusyTableHasAllAliases(t *testing.T) {
	o := testOptions()
	o.MaxSeries, o.MaxAliases, o.Tables = 1000, 1000, 4
	g := newGroup(o)
	send := func() {
		for i := range 1000 {
			g.add(2, 0, fmt.Sprintf("m:1|c|#id:%d", i))
		}
	}
	send()
	assert.Equal(t, 1000, g.tables[2].young.n)
	for range 20 { // through rotations
		g.flush()
		send()
		assert.Equal(t, 1000, g.known())
		assert.Equal(t, 1000, g.tables[2].young.n, "all in use, none resolved again")
	}
	// After two rotations another table can use the limit of an idle one.
	for range 2 * o.ExpirySwaps {
		g.add(1, 0, "a:1|c")
		g.flush()
	}
	assert.Equal(t, 1, g.known())
}

// A flood of unknown lines does not make the table drop aliases that are in use.
func TestFloodLeavesWhatIsInUse(t *testing.T) {
	o := testOptions()
	o.MaxSeries, o.MaxAliases, o.Tables = 10, 400, 2
	g := newGroup(o)
	next, resolved := 0, 0
	for range 1000 {
		for i := range 5 {
			l := line.Line{}
			line.Parse(fmt.Appendf(nil, "used%d:1|c", i), &l, &o.Limits)
			hash := g.hash(&l)
			young, _ := g.tables[0].young.find(hash, &l)
			old, _ := g.tables[0].old.find(hash, &l)
			if young == nil && old == nil {
				resolved++
			}
			g.add(0, 0, fmt.Sprintf("used%d:1|c", i))
		}
		for range 10 {
			g.add(0, 0, fmt.Sprintf("flood:1|c|#id:%d", next))
			next++
		}
		require.LessOrEqual(t, g.known(), 400)
	}
	assert.Equal(t, 5, resolved, "each once")
}

// The table refuses a chunk whose index does not fit into an alias, because the alias would name another chunk.
func TestChunksOfAliasesAreBounded(t *testing.T) {
	g := newGroup(testOptions())
	young := &g.tables[0].young
	young.chunks = make([][]byte, maxChunks)
	g.add(0, 0, "a:1|c", "a:1|c")
	assert.Len(t, young.chunks, maxChunks)
	assert.Zero(t, g.known())
	assert.Equal(t, int64(2), whole(must(t, g.flush(), "a|counter")))
}

// A long alias counts as several.
func TestLongKeysAreBounded(t *testing.T) {
	o := testOptions()
	o.MaxAliases = 2000
	g := newGroup(o)
	for i := range 5000 {
		g.add(0, 0, fmt.Sprintf("m:1|c|#%d:%s", i, strings.Repeat("x", 8000)))
	}
	table := g.tables[0]
	held := (len(table.young.chunks) + len(table.old.chunks)) * chunkBytes
	assert.LessOrEqual(t, held, 2*o.MaxAliases*aliasBytes)
	assert.Positive(t, g.known())
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

// A series whose points have no room remains in use: it does not expire before its aliases. Otherwise another spelling would
// create a second series.
func TestSeriesOutlivesPointsWithoutRoom(t *testing.T) {
	o := testOptions()
	o.TimedPoints, o.ExpirySwaps = 1, 4
	g := newGroup(o)
	g.add(0, 0, "a:1|c|T1")
	a := g.tables[0].active.Timed[0].Series
	g.flush()
	for range 20 {
		g.add(0, 0, "first:1|c|T1", "a:1|c|T1")
		g.Advance()
		var touched []*Series
		g.tables[0].Swap().Merge(func(s *Series, values bool) {
			assert.False(t, values, "there is no point but the timed one")
			touched = append(touched, s)
		})
		g.Sweep(touched, func(*Series) {})
	}
	g.add(0, 0, "a:1|c|#,", "a:1|c")
	assert.Same(t, a, must(t, g.flush(), "a|counter"))
	assert.Equal(t, int64(2), whole(a))
}

// A line of a known series allocates nothing, in any epoch, for every type and every aggregation.
func TestAllocsPerLine(t *testing.T) {
	lines := []string{
		"a:1|c|#x:1,y:2", "a:1|c|@0.3|#x:1,y:2", "a:1.5:2:3|c", "g:1.5|g|#x:1", "g:+1|g", "t:320|ms|#x:1", "h:320|h|@0.3",
		"d:1:2:3:1e3:-5:0|d|#x", "s:alice|s|#x", "s:alice|s", "_e{1,1}:a|b", "_sc|x|0", "bad", "x:y|c", "a:1|c|#x:1|c:ci-1|e:it-true|card:low",
	}
	lines = append(lines, "a:1|c|#x:1|c:in-4026531835|e:it-false,cn-web,pu-75a2b6d5-3949-4afb-ad0d-92ff0674e759")
	byAddress, byContainer := testOptions(), originOptions()
	byAddress.Origin = OriginIP
	sender := netip.MustParseAddr("2001:db8::7")
	stochastic := testOptions()
	stochastic.Random = func() rand.Source { return rand.NewPCG(1, 2) }
	mapped := mappedOptions()
	mapped.TimedPoints = 1000
	for _, run := range []struct {
		options Options
		lines   []string
	}{
		{testOptions(), lines},
		{byAddress, lines},
		{byContainer, lines},
		{stochastic, lines[:3]},
		{mapped, []string{
			"t:320|ms|#x:1", "t:320|ms|@0.3", "t:1:2:3:4:5:6:-7|ms|@0.5", // within MaxSamples, and beyond it
			"h:320|h|#x:1", "h:1:2:3:4:5:6:7|h", // within TimedPoints, and beyond it
			"d:320|d|#x:1", "d:1:2:3:1e3:-5:0|d|@0.3", "other:1:2:3:1e3:-5:0|d",
		}},
	} {
		for _, in := range run.lines {
			g := newGroup(run.options)
			table, datagram := g.tables[0], []byte(in+"\n"+in)
			epoch := func() {
				for range 100 {
					table.Datagram(datagram, false, 1, sender)
				}
				table.Swap().Merge(func(s *Series, _ bool) {
					s.FinishMerge()
					if v, ok := s.value.(*SummaryValue); ok {
						v.Totals()
						v.Quantiles(func(float64, float64) bool { return true })
					}
					s.Clear()
				})
			}
			epoch() // allocates the memory of the series
			epoch() // and of the other half
			// A rotation, every ExpirySwaps/2 epochs, allocates. With 1,000 lines per epoch the mean would not show it.
			table.options.ExpirySwaps = 1 << 60
			assert.Zero(t, testing.AllocsPerRun(20, epoch), in)
		}
	}
}

func third[A, B, C any](_ A, _ B, c C) C { return c }

func FuzzDatagram(f *testing.F) {
	f.Add([]byte("a:1|c|#k:v\n\xff\xfe:1:2|ms|@0.1\r\n_e{1,1}:a|b\nu:a:b|s"), false)
	f.Add([]byte("a:1|c|#,,:,k:1,k:2\nb:+1|g|T1"), true)
	f.Add([]byte("a:1|c|c:ci-1,in-2,\xff,ci-\x00|e:it-true,cn-a,pu-b,cn-\xfe:1,|c:in-"), false)
	examples, err := os.ReadFile("../line/testdata/examples.txt")
	if err != nil {
		f.Fatal(err)
	}
	var all []byte
	for text := range bytes.Lines(examples) {
		// The first word of an example is its result. The file's comments are valid input too.
		_, in, _ := bytes.Cut(text, []byte{' '})
		f.Add(bytes.TrimSuffix(in, []byte{'\n'}), false)
		f.Add(in[:len(in)/2], true)
		all = append(all, in...)
	}
	f.Add(all, false)
	f.Add(bytes.ReplaceAll(all, []byte{'\n'}, []byte("\r\n")), true)
	f.Fuzz(func(t *testing.T, b []byte, truncated bool) {
		o := testOptions()
		if truncated {
			o = mappedOptions()
		}
		o.MaxSeries, o.MaxAliases, o.Origin = 3, 8, OriginContainer
		g := newGroup(o)
		g.tables[0].Datagram(b, truncated, 1, netip.Addr{})
		g.tables[0].Datagram(b, truncated, 2, netip.Addr{})
		found := g.flush()
		for id, s := range found {
			if !utf8.ValidString(id) {
				t.Fatalf("%q", id)
			}
			if v, ok := s.value.(*LastValue); ok && (math.IsNaN(v.Gauge) || math.IsInf(v.Gauge, 0)) {
				t.Fatalf("gauge %v", v.Gauge)
			}
			if _, ok := s.value.(*SummaryValue); ok {
				for _, v := range third(quantilesOf(s)) {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("quantile %v", v)
					}
				}
			}
		}
		lines := uint64(0)
		for l := range strings.SplitSeq(string(b), "\n") {
			if strings.TrimSuffix(l, "\r") != "" {
				lines += 2
			}
		}
		counted := totalOf(g.stats.Lines[:]) + totalOf(g.stats.Rejected[:])
		// The last line of a truncated datagram may be a single carriage return.
		if counted < lines || (counted > lines && !truncated) {
			t.Fatalf("%d lines, %d counted", lines, counted)
		}
	})
}

// An alias of the older generation stays there if the younger one gets no memory, even if its line comes often.
func TestKnownLinesWithoutMemoryAreCountedOnce(t *testing.T) {
	o := testOptions()
	o.ExpirySwaps = 2 // each swap rotates
	g := newGroup(o)
	long := "long:1|c|#" + strings.Repeat("x", 10*aliasBytes)
	g.add(0, 0, "short:1|c", long)
	g.flush()
	table := g.tables[0]
	held := g.aliases.Load()
	g.budget.Force(int(o.MaxBytes))
	for range 2 {
		g.add(0, 0, "short:1|c")
	}
	assert.Equal(t, 2, table.young.n+table.old.n)
	assert.Equal(t, held, g.aliases.Load())
	g.budget.Release(int(o.MaxBytes))
	g.add(0, 0, "short:1|c", long)
	assert.Equal(t, 2, table.young.n)
	assert.Equal(t, held, g.aliases.Load())
	for range 2 {
		g.flush()
	}
	assert.Zero(t, g.aliases.Load())
}
