package fold

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

const begun = int64(1_700_000_000_000_000_000)

func newTable(maxStreams int) (*Table, *budget.Budget) {
	budget := budget.New(1 << 30)
	return NewTable(Options{
		MaxStreams: maxStreams, Gauge: GaugeSum, Idle: time.Hour, IdleTimeout: 5 * time.Minute, Budget: budget,
		Now: func() time.Time { return time.Unix(0, begun) }, Random: rand.New(rand.NewPCG(1, 1)).Uint64N,
	}), budget
}

func series(id uint64, typ pmetric.MetricType, temporality pmetric.AggregationTemporality, monotonic bool) Series {
	return Series{
		Group: 1, Metric: id, Name: fmt.Sprint("m", id), Type: typ, Temporality: temporality, Monotonic: monotonic,
		Resource: pcommon.NewResource(), Scope: pcommon.NewInstrumentationScope(), Attributes: pcommon.NewMap(),
	}
}

// While one batch describes a series, which copies attributes of any size, other batches fold, pass and flush.
func TestDescribingHoldsNobodyUp(t *testing.T) {
	table, _ := newTable(100)
	describing, described := make(chan struct{}), make(chan struct{})
	var slow sync.WaitGroup
	slow.Go(func() {
		b := table.Batch()
		b.Add(Point{Target: 1, Stream: 1, Start: begun + 1, Time: begun + 2, Value: Value{&number{i: 1}}}, func() Series {
			close(describing)
			<-described
			return series(1, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, true)
		})
		b.Commit()
	})
	<-describing
	for _, target := range []uint64{1, 2} { // the same series, too: the slow batch finds it made
		b := table.Batch()
		b.Add(Point{Target: target, Stream: target << 60, Start: begun + 1, Time: begun + 2, Value: Value{&number{i: 10}}}, func() Series {
			return series(target, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, true)
		})
		b.Commit()
	}
	require.True(t, table.Knows(2<<60))
	require.False(t, table.Knows(1))
	require.Len(t, table.Flush(), 1)
	table.Sweep()
	close(described)
	slow.Wait()
	require.Equal(t, 2+3, table.Tracked())
	sums := map[string]int64{}
	for _, m := range metrics(table.Flush()) {
		sums[m.Name()] = m.Sum().DataPoints().At(0).IntValue()
	}
	require.Equal(t, map[string]int64{"m1": 11, "m2": 10}, sums)
}

func metrics(parcels []*Parcel) (out []pmetric.Metric) {
	for _, p := range parcels {
		for _, rm := range p.Metrics.ResourceMetrics().All() {
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				out = append(out, m)
			}
		}
	}
	return out
}

// Many goroutines fold streams of their own into shared series, while one flushes and sweeps. Nothing is lost, nothing counts
// twice, and no series decreases.
func TestManyGoroutinesFoldExactly(t *testing.T) {
	const goroutines, rounds, streams, targets = 8, 150, 20, 3
	table, budget := newTable(goroutines*streams*4 + targets*4)
	kinds := []Series{
		series(0, pmetric.MetricTypeSum, pmetric.AggregationTemporalityDelta, true),
		series(1, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, true),
		series(2, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, false),
		series(3, pmetric.MetricTypeHistogram, pmetric.AggregationTemporalityCumulative, true),
	}
	var mu sync.Mutex
	want := map[uint64]int64{}
	var senders sync.WaitGroup
	for g := range uint64(goroutines) {
		senders.Go(func() {
			rng := rand.New(rand.NewPCG(g, 1))
			values := map[uint64]int64{}
			grown := map[uint64]int64{}
			last := map[uint64]int64{}
			for round := range int64(rounds) {
				b := table.Batch()
				refused := rng.IntN(5) == 0
				for range streams {
					kind, target, stream := uint64(rng.IntN(4)), uint64(rng.IntN(targets)), uint64(rng.IntN(streams))
					id := kind<<8 | target
					key := rng.Uint64()
					if kind != 0 { // one stream keeps its target and its own identity
						target = stream % targets
						id = kind<<8 | target
						key = (kind*goroutines*streams + g*streams + stream + 1) * 0x9e3779b97f4a7c15
						if last[key] == round+1 {
							continue // one point per batch
						}
					}
					by := int64(rng.IntN(10))
					v := by
					if kind != 0 {
						v = values[key] + by
					}
					if !refused {
						values[key], last[key] = v, round+1
						grown[id] += by
					}
					b.Add(Point{Target: id, Stream: key, Start: begun + 1, Time: begun + 2 + round, Value: valueOf(kinds[kind].Type, v)},
						func() Series { return series(id, kinds[kind].Type, kinds[kind].Temporality, kinds[kind].Monotonic) })
				}
				if !refused {
					b.Commit()
				}
				b.End()
			}
			mu.Lock()
			defer mu.Unlock()
			for id, n := range grown {
				want[id] += n
			}
		})
	}
	got, highest := map[uint64]int64{}, map[uint64]int64{}
	collect := func() {
		for _, p := range table.Flush() {
			for i := range p.values {
				k := &p.values[i]
				id, v := k.from.series.Metric, total(k.value)
				switch k.from.method {
				case addDelta:
					got[id] += v
				case addGrowth:
					require.GreaterOrEqual(t, v, highest[id])
					highest[id], got[id] = v, v
				default:
					got[id] = v
				}
			}
			table.Finish(p, Delivered)
		}
		table.Sweep()
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		collect()
	}
	require.Equal(t, want, got)
	n := table.TakeStats()
	require.Zero(t, n[StatOutOfOrder]+n[StatRefused]+n[StatUnbaselined]+n[StatSaturated])
	require.Positive(t, n[StatFolded])

	table.opts.Now = func() time.Time { return time.Unix(0, begun).Add(2 * time.Hour) }
	table.Sweep()
	require.Zero(t, table.Tracked())
	require.EqualValues(t, table.forgotten.bytes(), budget.Used(), "all else is given back")
}

func valueOf(typ pmetric.MetricType, v int64) Value {
	if typ == pmetric.MetricTypeHistogram {
		return Value{explicit([]float64{1, 2}, uint64(v), 0, uint64(v))}
	}
	return Value{&number{i: v}}
}

func total(m measure) int64 {
	if h, ok := m.(*histogram); ok {
		return int64(h.counts[0])
	}
	return m.(*number).i
}

// A table knows exactly the streams that have a state, also those that share a counter with forgotten ones.
func TestKnowsStreams(t *testing.T) {
	table, _ := newTable(10_000)
	random, ids := rand.New(rand.NewPCG(2, 2)), make([]uint64, 3_000)
	b := table.Batch()
	for i := range ids {
		ids[i] = random.Uint64()
		b.Add(Point{Target: 1, Stream: ids[i], Time: begun, Value: Value{&number{i: 1}}}, func() Series {
			return series(1, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, true)
		})
	}
	require.False(t, table.Knows(ids[0]))
	b.Commit()
	table.each(func(in *shard, id uint64, s *stream) {
		if id&1 == 0 {
			table.forget(in, id, s)
		}
	})
	for _, id := range ids {
		require.Equal(t, id&1 == 1, table.Knows(id))
		require.False(t, table.Knows(id^1<<30), "the same counter")
	}
}
