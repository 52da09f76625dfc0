package cardinalitylimit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// traffic is what routes of a Zipf distribution count in one export.
type traffic struct {
	weights []float64
	sum     float64
	totals  []int64
	rng     *rand.Rand
}

func newTraffic(routes int) *traffic {
	tr := &traffic{totals: make([]int64, routes), rng: rand.New(rand.NewPCG(1, 2))}
	for i := range routes {
		tr.weights = append(tr.weights, 1/math.Pow(float64(i+1), 1.1))
		tr.sum += tr.weights[i]
	}
	return tr
}

// export counts requests for one interval, and returns the growth of each route that had some.
func (tr *traffic) export(requests float64) map[int]int64 {
	grown := make(map[int]int64)
	for i, w := range tr.weights {
		mean := requests * w / tr.sum
		n := int64(mean + math.Sqrt(mean)*tr.rng.NormFloat64()*0.5)
		if mean < 1 && tr.rng.Float64() < mean {
			n = 1
		}
		if n > 0 {
			grown[i] = n
			tr.totals[i] += n
		}
	}
	return grown
}

// named is the share of the traffic that has its own name after the first exports, of deltas or of the
// streams of an SDK, which repeats every one. Batches have 1,000 points in random order.
func named(t *testing.T, temporality pmetric.AggregationTemporality, contestedAt float64) float64 {
	r := newRig(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(500, "overflow", "metric.name")}
		c.Admission.ContestedAt = contestedAt
	})
	tr := newTraffic(20_000)
	start := r.clock.now()
	var all, own int64
	for round := range 20 {
		grown := tr.export(100_000)
		var ids []int
		for i := range tr.totals {
			if grown[i] > 0 || temporality == cumulative && tr.totals[i] > 0 {
				ids = append(ids, i)
			}
		}
		tr.rng.Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
		from := r.clock.now()
		r.clock.add(time.Minute)
		for len(ids) > 0 {
			n := min(len(ids), 1_000)
			b := newBatch("orders")
			points := b.sum("requests", temporality, true)
			for _, i := range ids[:n] {
				if temporality == cumulative {
					put(points, tr.totals[i], start, r.clock.now(), "route", fmt.Sprint(i))
				} else {
					put(points, grown[i], from, r.clock.now(), "route", fmt.Sprint(i))
				}
			}
			ids = ids[n:]
			r.send(b.md)
			for _, o := range observe(r.sink.take()...) {
				var i int
				_, err := fmt.Sscan(o.attributes["route"].(string), &i)
				require.NoError(t, err)
				if round >= 10 {
					own += grown[i]
				}
			}
		}
		if round >= 10 {
			for _, n := range grown {
				all += n
			}
		}
		r.maintain()
	}
	return float64(own) / float64(all)
}

// Of Zipf traffic over 20,000 routes, shuffled, a limit of 500 names at least two thirds of what the
// best 500 are: heaviest first within a batch, and the last places for what is active.
func TestHeavyRoutesAreNamed(t *testing.T) {
	tr := newTraffic(20_000)
	best := 0.0
	for _, w := range tr.weights[:500] {
		best += w / tr.sum
	}
	for name, temporality := range map[string]pmetric.AggregationTemporality{"delta": delta, "cumulative": cumulative} {
		first, contested := named(t, temporality, 1), named(t, temporality, 0.8)
		t.Logf("%s: %.0f %% heaviest first, %.0f %% with the doorkeeper, %.0f %% at best", name, 100*first, 100*contested, 100*best)
		require.Greater(t, contested, 2*best/3)
	}
}

// Ten steady routes get their places beside an exploder of one-off identities, which an SDK repeats in
// every export: within three minutes of a rotation, or of their first export while a tenth is free.
func TestSteadyNewcomersGetPlaces(t *testing.T) {
	for name, temporality := range map[string]pmetric.AggregationTemporality{"delta": delta, "cumulative": cumulative} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				c.Limits = []LimitConfig{limitOf(100, "overflow", "metric.name")}
				c.Admission.ContestedAt = 0.8
			})
			start := r.clock.now()
			rng := rand.New(rand.NewPCG(3, 4))
			waited := make(map[string]int)
			var ids []string // of the exploder, as its SDK keeps them
			for minute := range 90 {
				from := r.clock.now()
				r.clock.add(time.Minute)
				b := newBatch("orders")
				points := b.sum("requests", temporality, true)
				if temporality == delta {
					ids = ids[:0]
				}
				for range 50 {
					ids = append(ids, fmt.Sprintf("one-off %d", rng.Uint64()))
				}
				for _, id := range ids {
					put(points, 1, from, r.clock.now(), "route", id)
				}
				if minute >= 5 {
					for i := range 10 {
						put(points, int64(minute), from, r.clock.now(), "route", fmt.Sprint("steady ", i))
					}
				}
				if temporality == cumulative {
					for _, p := range points.All() {
						p.SetStartTimestamp(newTimestamp(start))
					}
				}
				r.send(b.md)
				for _, o := range observe(r.sink.take()...) {
					id, _ := o.attributes["route"].(string)
					if _, known := waited[id]; !known && len(id) > 7 && id[:7] == "steady " {
						waited[id] = minute - 5
					}
				}
				r.maintain()
			}
			t.Logf("minutes until a place: %v", waited)
			require.Len(t, waited, 10)
			for id, minutes := range waited {
				require.LessOrEqual(t, minutes, 3, id)
			}
		})
	}
}
