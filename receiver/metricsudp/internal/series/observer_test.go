package series

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// mappedOptions map timers to summaries, histograms to one point per value, and distributions with certain names to explicit
// buckets.
func mappedOptions() Options {
	o := testOptions()
	o.Observers[line.Timer] = Observer{Aggregation: Summary, Percentiles: []float64{0, 50, 99, 100}}
	o.Observers[line.Histogram] = Observer{Aggregation: Each}
	o.Observers[line.Distribution] = Observer{MaxSize: 40, Explicit: []ExplicitBuckets{
		{regexp.MustCompile("^wide"), []float64{0}},
		{regexp.MustCompile("d|wide"), []float64{-1, 0, 10, 100.5}},
	}}
	return o
}

// quantilesOf ends the interval of a summary.
func quantilesOf(s *Series) (count uint64, sum float64, values []float64) {
	v := s.value.(*SummaryValue)
	count, sum = v.Totals()
	for _, value := range v.Quantiles {
		values = append(values, value)
	}
	return count, sum, values
}

// The type and the name determine the aggregation. A pattern may match anywhere in the name, the first one that matches applies,
// and it has no effect on other types.
func TestObserverOfAMetric(t *testing.T) {
	g := newGroup(mappedOptions())
	g.add(0, 0, "a.d.b:1|d", "a.wide:1|d", "wide:1|d", "other:1|d", "d:1|ms", "wide:1|h", "d:1|c")
	found := g.flush()
	bounds := func(id string) []float64 { return must(t, found, id).value.(*ExplicitValue).Histogram().Bounds }
	assert.Equal(t, []float64{-1, 0, 10, 100.5}, bounds("a.d.b|distribution"))
	assert.Equal(t, []float64{-1, 0, 10, 100.5}, bounds("a.wide|distribution"))
	assert.Equal(t, []float64{0}, bounds("wide|distribution"))
	assert.Equal(t, Distribution, must(t, found, "other|distribution").Metric.Aggregation)
	assert.Equal(t, Summary, must(t, found, "d|timer").Metric.Aggregation)
	assert.Equal(t, Each, must(t, found, "wide|histogram").Metric.Aggregation)
	assert.Equal(t, Sum, must(t, found, "d|counter").Metric.Aggregation)
}

// Every type has its configured size, or the default size.
func TestMaxSizeOfEachType(t *testing.T) {
	o := testOptions()
	o.Tables = 2
	o.Observers[line.Timer].MaxSize = 20
	o.Observers[line.Histogram].MaxSize = 320
	g := newGroup(o)
	for i := range 1000 {
		for _, kind := range []string{"ms", "h", "d"} {
			g.add(i%2, 0, fmt.Sprintf("m:%d:-1|%s", 1+i, kind))
		}
	}
	found := g.flush()
	for kind, size := range map[string]int{"timer": 20, "histogram": 320, "distribution": MaxBuckets} {
		h := must(t, found, "m|"+kind).value.(*DistributionValue).Histogram()
		assert.Equal(t, size, h.MaxSize())
		assert.Equal(t, uint64(2000), h.Count)
		assert.LessOrEqual(t, len(h.Positive.Counts), size)
		assert.Greater(t, 2*len(h.Positive.Counts), size, "no scale finer fits")
	}
}

// Every bucket has the count of a simple loop over the values, across readers and flushes.
func TestExplicitCountsAreExact(t *testing.T) {
	for _, tables := range []int{1, 2, 4} {
		rng := rand.New(rand.NewPCG(1, uint64(tables)))
		o := mappedOptions()
		o.Tables = tables
		g := newGroup(o)
		bounds := []float64{-1, 0, 10, 100.5}
		want, got := make([]uint64, 5), make([]uint64, 5)
		var wantSum, gotSum float64
		low, high := math.Inf(1), math.Inf(-1)
		collect := func() {
			for _, s := range g.flush() {
				h := s.value.(*ExplicitValue).Histogram()
				for i, n := range h.Counts {
					got[i] += n
				}
				require.Equal(t, totalOf(h.Counts), h.Count)
				gotSum += h.Sum
				low, high = min(low, h.Min), max(high, h.Max)
				s.Clear()
			}
		}
		for range 5000 {
			v := []float64{-1, 0, 10, 100.5, -1.5, 1000, float64(rng.IntN(300))/2 - 20}[rng.IntN(7)]
			rate := []float64{1, 1, 0.5, 0.25}[rng.IntN(4)]
			g.add(rng.IntN(tables), 0, fmt.Sprintf("d:%v|d|@%v", v, rate))
			at := 0
			for at < len(bounds) && v > bounds[at] {
				at++
			}
			want[at] += uint64(1 / rate)
			wantSum += v / rate
			if rng.IntN(500) == 0 {
				collect()
			}
		}
		collect()
		assert.Equal(t, want, got, "%d tables", tables)
		assert.InDelta(t, wantSum, gotSum, 0, "multiples of 1/8")
		assert.InDelta(t, -20, low, 0)
		assert.InDelta(t, 1000, high, 0)
	}
}

// Up to maxSamples the quantiles are exact, for any distribution of values over readers. With one more value they are those of a
// sketch, which is the same for any number of readers.
func TestSummaryAcrossTables(t *testing.T) {
	for _, n := range []int{1, 31, 32, 500, maxSamples, maxSamples + 1, 3 * maxSamples} {
		var first []float64
		for _, tables := range []int{1, 2, 4} {
			rng := rand.New(rand.NewPCG(3, uint64(n)))
			o := mappedOptions()
			o.Tables = tables
			g := newGroup(o)
			values, sum := make([]float64, 0, n), 0.0
			for len(values) < n {
				var text []string
				for range min(1+rng.IntN(40), n-len(values)) {
					v := float64(1+rng.IntN(32_000)) / 4
					values, sum = append(values, v), sum+v
					text = append(text, fmt.Sprint(v))
				}
				g.add(rng.IntN(tables), 0, "t:"+strings.Join(text, ":")+"|ms")
			}
			slices.Sort(values)
			s := must(t, g.flush(), "t|timer")
			count, total, got := quantilesOf(s)
			s.Clear()
			assert.Equal(t, uint64(n), count)
			assert.InDelta(t, sum, total, 0)
			left := s.value.(*SummaryValue)
			assert.True(t, left.empty() && left.blocks == nil && left.sketch == nil)
			exact := n <= maxSamples
			for i, q := range []float64{0, 0.5, 0.99, 1} {
				want := values[max(int(math.Ceil(q*float64(n))), 1)-1]
				within := 0.0
				if !exact {
					within = want * 0.0028
				}
				require.InDelta(t, want, got[i], within, "%v of %d by %d tables", q, n, tables)
			}
			if first == nil {
				first = got
			}
			assert.Equal(t, first, got, "%d values by %d tables", n, tables)
		}
	}
}

// A sampled value counts 1/rate times in quantiles and count. The fraction counts in a later interval. This applies to samples and
// to a sketch.
func TestSummaryWeights(t *testing.T) {
	g := newGroup(mappedOptions())
	g.add(0, 0, "t:1:2|ms", "t:3|ms|@0.1", "t:-4|ms|@0.5")
	count, sum, values := quantilesOf(must(t, g.flush(), "t|timer"))
	assert.Equal(t, uint64(14), count)
	assert.InDelta(t, 1+2+30-8, sum, 1e-12)
	assert.Equal(t, []float64{-4, 3, 3, 3}, values)

	for _, each := range []int{1, 3000} { // values per interval
		o := mappedOptions()
		o.Tables = 2
		g := newGroup(o)
		var total uint64
		for i := range 60 {
			for j := range each {
				g.add((i+j)%2, 0, "t:-5|ms|@0.3")
			}
			s := must(t, g.flush(), "t|timer")
			count, _, values := quantilesOf(s)
			assert.InDelta(t, -5, values[1], 0)
			total += count
			s.Clear()
		}
		assert.InDelta(t, float64(60*each)/0.3, float64(total), 3, "a fraction a reader and one of the series")
	}
}

// One line exceeds maxSamples.
func TestSummaryOfALongLine(t *testing.T) {
	g := newGroup(mappedOptions())
	g.add(0, 0, "t:"+strings.Repeat("-1:7:", 1000)+"|ms")
	count, sum, values := quantilesOf(must(t, g.flush(), "t|timer"))
	assert.Equal(t, uint64(2000), count)
	assert.InDelta(t, 6000, sum, 0)
	assert.InDelta(t, -1, values[0], 0)
	assert.InDelta(t, -1, values[1], 0.0028)
	assert.InDelta(t, 7, values[3], 0)
}

// Each value becomes a point with its time of receipt, and its rate has no effect. The buffer bounds these points together with
// those that have timestamps.
func TestEachValueIsAPoint(t *testing.T) {
	o := mappedOptions()
	o.TimedPoints = 4
	g := newGroup(o)
	g.add(0, 70, "h:1:2|h|@0.1|#k:v", "a:1|c|T1700000000")
	g.add(0, 80, "h:3:4:5|h|T1700000000")
	var got []TimedPoint
	for _, p := range g.tables[0].active.Timed {
		assert.Equal(t, p.Series.Metric.Kind == line.Histogram, p.Received)
		p.Series = nil
		got = append(got, p)
	}
	assert.Equal(t, []TimedPoint{
		{Time: 70, Received: true, Real: 1},
		{Time: 70, Received: true, Real: 2},
		{Time: 1_700_000_000_000_000_000, Whole: 1, Real: 1},
		{Time: 80, Received: true, Real: 3},
	}, got)
	g.flush()
	assert.Equal(t, uint64(2), g.stats.DroppedPoints)
	assert.Equal(t, uint64(2), g.stats.Lines[line.Histogram])
}

// A series whose values each become a point has no value of its own. It is in use nevertheless, and expires like others.
func TestSeriesOfPointsExpires(t *testing.T) {
	o := mappedOptions()
	o.ExpirySwaps = 2
	g := newGroup(o)
	for range 5 {
		g.add(0, 0, "h:1|h")
		g.flush()
		assert.Equal(t, 1, g.Len())
	}
	g.flush()
	g.flush()
	assert.Zero(t, g.Len())
}

// value/rate is the expected count, and each count is one of the two whole numbers around it.
func TestStochasticCounters(t *testing.T) {
	o := testOptions()
	o.Tables, o.Monotonic = 2, false
	seed := uint64(0)
	o.Random = func() rand.Source { seed++; return rand.NewPCG(7, seed) }
	const n = 20_000
	for in, x := range map[string]float64{
		"a:1|c|@0.3": 1 / 0.3, "a:0.25|c": 0.25, "a:-0.25|c": -0.25, "a:-7|c|@0.4": -17.5, "a:3|c": 3, "a:1|c|@0.5": 2,
		"a:9007199254740993|c": 9007199254740993,
	} {
		for _, stamp := range []string{"", "|T1700000000"} {
			g := newGroup(o)
			sum := 0.0
			for i := range n {
				g.add(i%2, 0, in+stamp)
				var got int64
				if stamp == "" {
					s := must(t, g.flush(), "a|counter")
					got = whole(s)
					s.Clear()
				} else {
					got = g.tables[i%2].active.Timed[0].Whole
					g.flush()
				}
				require.True(t, float64(got) == math.Floor(x) || float64(got) == math.Ceil(x) || x > 1<<53, "%s: %d", in, got)
				sum += float64(got) - x
			}
			// One count has a standard deviation of at most 0.5, so five standard deviations of the sum are 2.5 sqrt(n).
			assert.InDelta(t, 0, sum, 2.5*math.Sqrt(n), in)
		}
	}
}
