package fold

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

type memory map[string][]byte

func (m memory) Get(_ context.Context, key string) ([]byte, error) { return m[key], nil }
func (m memory) Set(_ context.Context, key string, v []byte) error { m[key] = v; return nil }
func (m memory) Delete(_ context.Context, key string) error        { delete(m, key); return nil }

// stored writes a cut and reads it.
func stored(t testing.TB, c *Cut) *Cut {
	s, err := snapshot.Open(context.Background(), memory{}, 1)
	require.ErrorIs(t, err, snapshot.ErrMissing)
	require.NoError(t, s.Write(context.Background(), true, snapshot.Section{Name: "t", Encode: c.Encode}))
	d, err := s.Read(context.Background(), "t")
	require.NoError(t, err)
	got, err := DecodeCut(d)
	require.NoError(t, err)
	return got
}

// Many goroutines fold streams of all shards into shared series while cuts are made. In each cut every series is the sum of its
// streams' last values. So is the output of a flush with a cut.
func TestCutIsConsistent(t *testing.T) {
	const goroutines, rounds, streams, targets = 8, 150, 40, 3
	table, _ := newTable(100_000)
	var senders sync.WaitGroup
	for g := range uint64(goroutines) {
		senders.Go(func() {
			rng := rand.New(rand.NewPCG(g, 1))
			values := map[uint64]int64{}
			for round := range int64(rounds) {
				b := table.Batch()
				for i := range uint64(streams) {
					id := (g*streams + i + 1) * 0x9e3779b97f4a7c15
					target := i % targets
					typ := []pmetric.MetricType{pmetric.MetricTypeSum, pmetric.MetricTypeHistogram, pmetric.MetricTypeSum}[target]
					values[id] += int64(rng.IntN(10))
					b.Add(Point{Target: target, Stream: id, Start: begun + 1, Time: begun + 2 + round, Value: valueOf(typ, values[id])},
						func() Series { return series(target, typ, pmetric.AggregationTemporalityCumulative, true) })
				}
				b.Commit()
			}
		})
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	highest := map[uint64]int64{}
	for running, cuts := true, 0; running || cuts < 10; cuts++ {
		select {
		case <-done:
			running = false
		default:
		}
		c, parcels := table.FlushCut()
		sent := map[uint64]int64{}
		for _, p := range parcels {
			for i := range p.values {
				sent[p.values[i].from.id] = total(p.values[i].value)
			}
		}
		if cuts%2 == 1 {
			c, sent = table.Cut(), nil
		}
		got := stored(t, c)
		sums := map[uint64]int64{}
		for i := range got.streams {
			sums[got.streams[i].to.id] += total(got.streams[i].last)
		}
		for i := range got.accumulators {
			a := &got.accumulators[i]
			if a.cutValue == nil {
				require.Zero(t, sums[a.id])
				continue
			}
			require.Equal(t, sums[a.id], total(a.cutValue))
			require.GreaterOrEqual(t, total(a.cutValue), highest[a.id])
			highest[a.id] = total(a.cutValue)
			if v, ok := sent[a.id]; ok {
				require.Equal(t, total(a.cutValue), v)
			}
		}
	}
}

// A table that was stored and read sends the same as the original, for every kind of value.
func TestRestoredTableGoesOn(t *testing.T) {
	now := begun
	fill := func() *Table {
		table, _ := newTable(1000)
		table.opts.Now = func() time.Time { return time.Unix(0, now) }
		return table
	}
	kinds := []Series{
		series(0, pmetric.MetricTypeSum, pmetric.AggregationTemporalityDelta, true),
		series(1, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, true),
		series(2, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, false),
		series(3, pmetric.MetricTypeHistogram, pmetric.AggregationTemporalityCumulative, true),
		series(4, pmetric.MetricTypeGauge, pmetric.AggregationTemporalityUnspecified, false),
		series(5, pmetric.MetricTypeHistogram, pmetric.AggregationTemporalityDelta, true),
	}
	for i := range kinds {
		kinds[i].Metadata = map[string][]string{"x-tenant": {"a", "b"}}
		kinds[i].Attributes.PutBool("otel.metric.overflow", true)
		kinds[i].Resource.Attributes().PutStr("service.name", "orders")
	}
	send := func(table *Table, v int64) {
		now += int64(time.Second)
		b := table.Batch()
		for i := range kinds {
			for stream := range uint64(3) {
				b.Add(Point{
					Target: uint64(i), Stream: uint64(i)<<60 | stream, Start: begun + 1, Time: now,
					Gauge: kinds[i].Type == pmetric.MetricTypeGauge, Value: valueOf(kinds[i].Type, v),
				}, func() Series { return kinds[i] })
			}
		}
		b.Commit()
	}
	a, b := fill(), fill()
	send(a, 10)
	now = begun
	send(b, 10)
	a.Flush()
	b.Flush()
	now -= int64(time.Second)
	send(a, 17)
	now -= int64(time.Second)
	send(b, 17)
	c := fill()
	c.Restore(stored(t, b.Cut()), false)
	require.Equal(t, a.Tracked(), c.Tracked())
	send(a, 20)
	now -= int64(time.Second)
	send(c, 20)
	marshal := func(table *Table) map[string]string {
		out := map[string]string{}
		for _, m := range metrics(table.Flush()) {
			md := pmetric.NewMetrics()
			m.CopyTo(md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty())
			text, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
			require.NoError(t, err)
			out[m.Name()] = string(text)
		}
		return out
	}
	got := marshal(c)
	require.Equal(t, marshal(a), got)
	require.Len(t, got, len(kinds))
	require.Zero(t, c.TakeStats()[StatUnbaselined])
}

// If a stream finds no memory after a restart, its next value is a baseline.
func TestRestoreIntoLess(t *testing.T) {
	table, _ := newTable(1000)
	send := func(table *Table, at int64) {
		b := table.Batch()
		for stream := range uint64(20) {
			b.Add(Point{Target: 1, Stream: stream << 58, Start: begun + 1, Time: begun + at, Value: Value{&number{i: at}}}, func() Series {
				return series(1, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, true)
			})
		}
		b.Commit()
	}
	send(table, 10)
	less, budget := newTable(11)
	less.Restore(stored(t, table.Cut()), false)
	require.Equal(t, 11, less.Tracked())
	less.opts.MaxStreams = 1000
	send(less, 12)
	k := less.Flush()[0].values[0]
	require.EqualValues(t, 200+10*2, total(k.value))
	n := less.TakeStats()
	require.EqualValues(t, 10, n[StatUnbaselined])
	require.EqualValues(t, 10, n[StatRefusedStreams])
	less.opts.Now = func() time.Time { return time.Unix(0, begun).Add(2 * time.Hour) }
	less.Sweep()
	require.EqualValues(t, less.forgotten.bytes(), budget.Used())
}

// A damaged section is an error when it is read, or gives a cut that a table can use.
func FuzzDecodeCut(f *testing.F) {
	table, _ := newTable(100)
	b := table.Batch()
	for i, typ := range []pmetric.MetricType{pmetric.MetricTypeSum, pmetric.MetricTypeHistogram} {
		b.Add(Point{Target: uint64(i), Stream: uint64(i + 1), Start: begun + 1, Time: begun + 2, Value: valueOf(typ, 7)}, func() Series {
			return series(uint64(i), typ, pmetric.AggregationTemporalityCumulative, true)
		})
	}
	b.Commit()
	m := memory{}
	s, _ := snapshot.Open(context.Background(), m, 1)
	require.NoError(f, s.Write(context.Background(), true, snapshot.Section{Name: "t", Encode: table.Cut().Encode}))
	f.Add(m["t.1.0"])
	f.Fuzz(func(_ *testing.T, section []byte) {
		c, err := DecodeCut(snapshot.NewDecoder(section))
		if err != nil {
			return
		}
		into, _ := newTable(100)
		into.Restore(c, true)
		into.Flush()
		into.Cut()
	})
}

// BenchmarkPause measures how long commits wait for a cut of 100,000 streams and series together.
func BenchmarkPause(b *testing.B) {
	for _, series := range []uint64{1, 1000, 50_000} {
		b.Run(fmt.Sprint(series, " series"), func(b *testing.B) {
			const tracked = 100_000
			table, _ := newTable(2 * tracked)
			batch := table.Batch()
			for i := range tracked - series {
				batch.Add(Point{Target: i % series, Stream: i * 0x9e3779b97f4a7c15, Start: begun + 1, Time: begun + 2, Value: Value{&number{i: 1}}}, func() Series {
					return seriesOf(i % series)
				})
			}
			batch.Commit()
			b.ReportAllocs()
			for b.Loop() {
				table.Cut()
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/pause")
		})
	}
}

func seriesOf(target uint64) Series {
	return series(target, pmetric.MetricTypeSum, pmetric.AggregationTemporalityCumulative, true)
}
