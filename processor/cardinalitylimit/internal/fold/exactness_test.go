package fold

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

func add(table *Table, target, stream uint64, typ pmetric.MetricType, start, at int64, m measure) {
	b := table.Batch()
	b.Add(Point{Target: target, Stream: stream, Start: start, Time: at, Value: Value{m}}, func() Series {
		return series(target, typ, pmetric.AggregationTemporalityCumulative, true)
	})
	b.Commit()
}

// A value that one series has counted, and the table has forgotten, is a baseline for another series.
func TestForgottenByOneIsABaselineForAll(t *testing.T) {
	now := begun
	table, _ := newTable(100)
	table.opts.Now = func() time.Time { return time.Unix(0, now) }
	add(table, 2, 9<<58, pmetric.MetricTypeSum, begun+1, begun+2, &number{i: 1}) // continues
	add(table, 1, 1<<58, pmetric.MetricTypeSum, begun+5, begun+6, &number{i: 1000})
	table.Flush()
	now += int64(2 * time.Hour)
	add(table, 2, 9<<58, pmetric.MetricTypeSum, begun+1, now, &number{i: 2})
	table.Sweep()
	again, _ := newTable(100)
	again.opts.Now = table.opts.Now
	again.Restore(stored(t, table.Cut()), false)
	for _, table := range []*Table{table, again} {
		add(table, 2, 1<<58, pmetric.MetricTypeSum, begun+5, now, &number{i: 1001})
		add(table, 2, 1<<58, pmetric.MetricTypeSum, begun+5, now+1, &number{i: 1004})
		k := table.Flush()[0].values
		require.Len(t, k, 1)
		require.EqualValues(t, 2+3, total(k[0].value))
	}
}

// Counts past 64 bits are left out and counted, so that the buckets of an outgoing point add up to its count.
func TestCountsPast64Bits(t *testing.T) {
	const half = math.MaxUint64/2 + 1
	h := func(n uint64) measure { return explicit([]float64{1}, n, 0) }
	e := func(n uint64) measure {
		m := &exponential{Histogram: expo.New(maxBuckets), hasSum: true}
		m.Record(2, n)
		return m
	}
	for name, measureOf := range map[string]func(uint64) measure{"explicit": h, "exponential": e} {
		t.Run(name, func(t *testing.T) {
			var n Stats
			m := measureOf(half)
			m.add(measureOf(half), &n)
			m.add(measureOf(5), &n)
			require.EqualValues(t, 1, n[StatSaturated])
			switch m := m.(type) {
			case *histogram:
				require.Equal(t, uint64(half+5), m.count)
				require.Equal(t, []uint64{half + 5, 0}, m.counts)
			case *exponential:
				require.Equal(t, uint64(half+5), m.Count)
				require.Equal(t, uint64(half+5), m.Positive.Total())
			}
		})
	}
	p := pmetric.NewHistogramDataPoint()
	p.SetCount(math.MaxUint64)
	p.ExplicitBounds().FromRaw([]float64{1})
	p.BucketCounts().FromRaw([]uint64{math.MaxUint64, 7})
	_, n := ReadHistogram(p)
	require.Equal(t, StatMalformed, n, "no count is the sum of these")
}

// A stream that passes after it was folded may change its bounds, or have an unreadable value. It never repeats what it has
// sent.
func TestAdmittedStreamThatCannotBeCompared(t *testing.T) {
	table, _ := newTable(100)
	add(table, 1, 7, pmetric.MetricTypeHistogram, begun+1, begun+10, explicit([]float64{1}, 5, 5))
	admit := func(at int64, m measure) Admitted {
		b := table.Batch()
		defer b.Commit()
		return b.Admit(Point{Stream: 7, Start: begun + 1, Time: begun + at, Value: Value{m}})
	}
	require.EqualValues(t, 2, admit(20, explicit([]float64{1}, 6, 6)).Value.measure.(*histogram).count)
	a := admit(30, explicit([]float64{2}, 7, 7))
	require.EqualValues(t, 4, a.Value.measure.(*histogram).count)
	require.Equal(t, begun+10, a.Start)
	require.EqualValues(t, 5, admit(40, explicit([]float64{2}, 7, 8)).Value.measure.(*histogram).count)
	require.True(t, admit(5, explicit([]float64{2}, 7, 8)).Drop, "of the time before it was admitted")
	b := table.Batch()
	require.True(t, b.Unreadable(7, StatNonFinite))
	require.False(t, b.Unreadable(8, StatNonFinite))
	b.Commit()
	n := table.TakeStats()
	require.EqualValues(t, 1, n[StatNonFinite])
	require.Zero(t, n[StatUnbaselined])
}

// A stale point of a series that is not folded makes no series.
func TestStalePointsMakeNoSeries(t *testing.T) {
	table, _ := newTable(100)
	b := table.Batch()
	b.Add(Point{Target: 1, Stream: 1, Stale: true}, func() Series { panic("not described") })
	b.Commit()
	require.Zero(t, table.Tracked())
	require.EqualValues(t, 1, table.TakeStats()[StatStale])
}
