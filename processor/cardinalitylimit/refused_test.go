package cardinalitylimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// fanOut is downstream with two branches. One accepts everything. The other refuses some parcels at random, and then the whole
// parcel is refused. The first adds up only deltas whose interval it has not seen.
type fanOut struct {
	t       *testing.T
	refuses func() bool

	pending      map[string]observation // deltas that have been refused, by series
	seen         map[string]int64       // value by series and interval
	last         map[string]time.Time   // of the series
	first, other map[string]int64       // totals of the branches, by metric
	offers       int
	refused      int
}

func newFanOut(t *testing.T, refuses func() bool) *fanOut {
	return &fanOut{
		t: t, refuses: refuses, pending: map[string]observation{}, seen: map[string]int64{},
		last: map[string]time.Time{}, first: map[string]int64{}, other: map[string]int64{},
	}
}

func (f *fanOut) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

func (f *fanOut) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if _, folded := observe(md)[0].attributes["otel.metric.overflow"]; !folded { // the points of a request that pass
		return nil
	}
	f.offers++
	refuses := f.refuses()
	for _, o := range observe(md) {
		id := fmt.Sprint(o.name, client.FromContext(ctx).Metadata.Get("x-tenant"))
		if o.name == "cumulative" {
			require.True(f.t, o.time.After(f.last[id]), "said anew")
			f.last[id] = o.time
			f.first[id] = o.value
			if !refuses {
				f.other[id] = o.value
			}
			continue
		}
		if before, ok := f.pending[id]; ok {
			require.Equal(f.t, before, o, "what is refused is offered again unchanged, before anything else")
		}
		interval := fmt.Sprint(id, o.start, o.time)
		if _, again := f.seen[interval]; !again {
			f.seen[interval] = o.value
			if last, ok := f.last[id]; ok {
				require.Equal(f.t, last, o.start, "intervals touch")
			}
			f.last[id] = o.time
			f.first[id] += o.value
		}
		if refuses {
			f.pending[id] = o
		} else {
			delete(f.pending, id)
			f.other[id] += o.value
		}
	}
	// Downstream may change a parcel that it refuses.
	md.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { return true })
	if refuses {
		f.refused++
		return errors.New("busy")
	}
	return nil
}

// The test has deltas of two tenants and flushes that are refused at random, also several times in a row, and restarts with a
// storage. A branch that accepted a parcel each time counts it once, and so does one that refused it.
func TestRefusedParcelsAreOfferedUnchanged(t *testing.T) {
	refused := 0
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 12))
		chance := rng.IntN(10)
		down := newFanOut(t, func() bool { return rng.IntN(10) < chance })
		d, clock := newDisk(), harness.NewClock()
		edit := func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metadata.x-tenant", "metric.name")} }
		if seed%2 == 1 {
			edit = onDisk(edit)
		}
		r := startRig(t, clock, d, edit)
		r.next = down
		ledger := map[string]int64{}
		begun, grown := clock.Now(), map[string]int64{}
		round := func() {
			from := clock.Now()
			clock.Add(time.Second)
			for _, tenant := range []string{"a", "b"} {
				ctx := client.NewContext(context.Background(), client.Info{
					Metadata: client.NewMetadata(map[string][]string{"x-tenant": {tenant}}),
				})
				b := newBatch("orders-" + tenant)
				for _, id := range []string{"incumbent", "x", "y"} {
					value := rng.Int64N(100)
					if id == "incumbent" {
						value += 100 // the heaviest series has the place
					}
					put(b.sum("delta", delta, true), value, from, clock.Now(), "id", id)
					grown[tenant+id] += value
					put(b.sum("cumulative", cumulative, true), grown[tenant+id], begun, clock.Now(), "id", id)
					if id != "incumbent" {
						ledger[fmt.Sprint("delta", []string{tenant})] += value
						ledger[fmt.Sprint("cumulative", []string{tenant})] += value
					}
				}
				require.NoError(t, r.ConsumeMetrics(ctx, b.md))
			}
		}
		for range 60 {
			round()
			if rng.IntN(2) == 0 {
				require.NoError(t, r.flush(context.Background(), false))
			}
			if rng.IntN(10) == 0 && seed%2 == 1 {
				require.NoError(t, r.stop())
				r = startRig(t, clock, d, edit)
				r.next = down
			}
		}
		clock.Add(time.Second)
		chance = 0
		require.NoError(t, r.flush(context.Background(), false))
		require.Equal(t, ledger, down.first, "seed %d", seed)
		require.Equal(t, ledger, down.other, "seed %d", seed)
		require.NoError(t, r.stop())
		refused += down.refused
	}
	require.Greater(t, refused, 1000)
}

// The refused points are one value and the points since then another, independent of how long downstream refuses.
func TestTwoValuesForEachSeries(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	send := func(value int64) {
		from := r.clock.Now()
		r.clock.Add(time.Second)
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		put(points, 10, from, r.clock.Now(), "id", "incumbent")
		put(points, value, from, r.clock.Now(), "id", "x")
		r.send(b.md)
		r.sink.drain()
	}
	flushRefused := func() {
		r.sink.refuse(errors.New("busy"))
		require.Empty(t, r.flushed())
		r.sink.refuse(nil)
	}
	first := r.clock.Now()
	send(3)
	for range 100 {
		flushRefused()
		send(4)
	}
	used := r.counter("tracker_bytes")
	for range 100 {
		flushRefused()
		send(4)
	}
	require.Equal(t, used, r.counter("tracker_bytes"))
	got := r.flushed()
	require.Len(t, got, 2)
	require.EqualValues(t, 3, got[0].value)
	require.Equal(t, first.UTC(), got[0].start)
	require.EqualValues(t, 800, got[1].value)
	require.Equal(t, got[0].time, got[1].start)
	send(5)
	r.sink.refuse(consumererror.NewPermanent(errors.New("bad")))
	require.Empty(t, r.flushed())
	r.sink.refuse(nil)
	require.Empty(t, r.flushed())
	require.EqualValues(t, 1, r.counter("dropped_points", "reason", "undelivered"))
}

// The last flush offers both values in order. The refused ones are stored or, without a storage, lost and counted.
func TestRefusedUntilTheEnd(t *testing.T) {
	for name, durable := range map[string]bool{"with storage": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			edit := oneSeries
			if durable {
				edit = onDisk(oneSeries)
			}
			d := newDisk()
			r := startRig(t, harness.NewClock(), d, edit)
			send := func(value int64) {
				r.clock.Add(time.Second)
				b := newBatch("orders")
				points := b.sum("requests", delta, true)
				put(points, 1000, r.clock.Now(), r.clock.Now(), "id", "incumbent")
				put(points, value, r.clock.Now(), r.clock.Now(), "id", "x")
				r.send(b.md)
				r.sink.drain()
			}
			send(3)
			r.sink.refuse(errors.New("busy"))
			require.NoError(t, r.flush(context.Background(), false))
			r.sink.refuse(nil)
			send(4)
			r.sink.refuse(errors.New("busy"))
			if !durable {
				require.ErrorContains(t, r.Shutdown(context.Background()), "2 points of folded series were not delivered")
				require.EqualValues(t, 2, r.counterOnly("dropped_points"))
				require.NoError(t, r.tel.Shutdown(context.Background()))
				return
			}
			require.NoError(t, r.stop())
			r = r.restart(d, oneSeries)
			got := r.flushed()
			require.Len(t, got, 2)
			require.EqualValues(t, 3, got[0].value)
			require.EqualValues(t, 4, got[1].value)
			require.Equal(t, got[0].time, got[1].start)
			require.Empty(t, r.flushed())
			require.NoError(t, r.stop())
		})
	}
}

// If downstream refuses a batch, the sender sends it again. Its folded points must not count twice.
func TestRefusedBatchIsFoldedOnce(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	make := func() pmetric.Metrics {
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		put(points, 10, r.clock.Now(), r.clock.Now(), "id", "incumbent")
		put(points, 3, r.clock.Now(), r.clock.Now(), "id", "x")
		return b.md
	}
	r.sink.refuse(errors.New("busy"))
	for range 3 {
		require.Error(t, r.ConsumeMetrics(context.Background(), make()))
	}
	r.sink.refuse(nil)
	r.send(make())
	r.sink.drain()
	require.EqualValues(t, 3, r.flushed()[0].value)
}
