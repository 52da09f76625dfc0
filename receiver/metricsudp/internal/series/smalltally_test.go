package series

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// The histogram counts all values, for any number of values, tables and intervals.
func TestFewAndManyValuesAreOneHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, tables := range []int{1, 2, 4} {
		for round := range 60 {
			o := testOptions()
			o.Tables = tables
			g := newGroup(o)
			want := expo.New(MaxBuckets)
			record := func(v float64, n uint64) {
				want.Record(v, n)
			}
			var d *Series
			for range 1 + random.IntN(4) { // intervals that are merged
				for range random.IntN(8) {
					values := make([]string, 1+random.IntN(1+round))
					for i := range values {
						v := math.Exp2(float64(random.IntN(40) - 20))
						if random.IntN(8) == 0 {
							v = -v
						}
						if random.IntN(3) > 0 {
							v = 7
						}
						values[i] = fmt.Sprint(v)
						record(v, 2)
					}
					g.add(random.IntN(tables), 0, "d:"+strings.Join(values, ":")+"|d|@0.5")
				}
				for _, s := range g.flush() {
					d = s
				}
			}
			if d == nil {
				continue
			}
			got := d.Value().(*DistributionValue).Histogram()
			require.Equal(t, want.Count, got.Count)
			assert.Equal(t, want.Scale, got.Scale)
			assert.InDelta(t, want.Min, got.Min, 0)
			assert.InDelta(t, want.Max, got.Max, 0)
			assert.InEpsilon(t, 1+math.Abs(want.Sum), 1+math.Abs(got.Sum), 1e-12)
			assert.Equal(t, want.Positive.Trimmed(), got.Positive.Trimmed())
			assert.Equal(t, want.Negative.Trimmed(), got.Negative.Trimmed())
			d.Clear()
			assert.Nil(t, d.Value().(*DistributionValue).Histogram())
		}
	}
}

// 100,000 timers with a few distant values each fit into the default memory limit, with delta and cumulative temporality.
func TestManyWideTimersFit(t *testing.T) {
	for _, cumulative := range []bool{false, true} {
		o := testOptions()
		o.MaxBytes, o.MaxSeries, o.MaxAliases, o.Tables = 256<<20, 100_000, 200_000, 4
		g := newGroup(o)
		for range 2 {
			for i := range o.MaxSeries {
				g.add(0, 0, fmt.Sprintf("service.requests.%03d:0.001:1:35:7000:1000000|ms|#env:prod,region:eu1,pod:p-%05d,code:200", i%100, i))
			}
			for _, s := range g.flush() {
				if !cumulative {
					s.Clear()
				}
			}
		}
		assert.Zero(t, g.stats.Overflowed)
		t.Logf("cumulative %t: %d MiB", cumulative, g.budget.Used()>>20)
	}
}

func TestAllocsOfFewAndManyValues(t *testing.T) {
	for _, values := range []int{1, smallTallyValues, smallTallyValues + 1, 100} {
		g := newGroup(testOptions())
		lines := make([]byte, 0, 4096)
		for i := range values {
			lines = fmt.Appendf(lines, "d:%d|d\n", i*i)
		}
		interval := func() {
			g.tables[0].Datagram(lines, false, 1, netip.Addr{})
			g.Advance()
			g.tables[0].Swap().Merge(func(s *Series, _ bool) { s.FinishMerge(); s.Clear() })
		}
		for range 4 {
			interval()
		}
		assert.Zero(t, testing.AllocsPerRun(50, interval), "%d values", values)
	}
}
