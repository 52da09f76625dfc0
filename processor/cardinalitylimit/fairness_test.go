package cardinalitylimit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// traffic draws requests from routes of a Zipf distribution.
type traffic struct {
	upTo   []float64 // share of the traffic of a route and all routes before it
	totals []int64
	rng    *rand.Rand
}

func newTraffic(routes int) *traffic {
	tr := &traffic{totals: make([]int64, routes), rng: rand.New(rand.NewPCG(1, 2))}
	sum := 0.0
	for i := range routes {
		sum += 1 / math.Pow(float64(i+1), 1.1)
		tr.upTo = append(tr.upTo, sum)
	}
	for i := range tr.upTo {
		tr.upTo[i] /= sum
	}
	return tr
}

// requests draws a number of requests and counts them by route.
func (tr *traffic) requests(n int) map[int]int64 {
	grown := make(map[int]int64)
	for range n {
		i, _ := slices.BinarySearch(tr.upTo, tr.rng.Float64())
		grown[i]++
		tr.totals[i]++
	}
	return grown
}

// named returns the share of two hours of traffic whose series have places under a limit of 500, with a number of requests per
// minute and export. The points are deltas of the routes with requests, or the streams of an SDK, which repeats all its
// streams. They come in random order.
func named(t *testing.T, temporality pmetric.AggregationTemporality, exports, requests int, contestedAt float64, batch int) float64 {
	r := newRig(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(500, "overflow", "metric.name")}
		c.Admission.ContestedAt = contestedAt
	})
	tr := newTraffic(20_000)
	start := r.clock.Now()
	var all, own int64
	for range 120 {
		from := r.clock.Now()
		r.clock.Add(time.Minute)
		for range exports {
			grown := tr.requests(requests)
			var ids []int
			for i := range tr.totals {
				if grown[i] > 0 || temporality == cumulative && tr.totals[i] > 0 {
					ids = append(ids, i)
				}
			}
			tr.rng.Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
			for part := range slices.Chunk(ids, batch) {
				b := newBatch("orders")
				points := b.sum("requests", temporality, true)
				for _, i := range part {
					if temporality == cumulative {
						put(points, tr.totals[i], start, r.clock.Now(), "route", fmt.Sprint(i))
					} else {
						put(points, grown[i], from, r.clock.Now(), "route", fmt.Sprint(i))
					}
				}
				r.send(b.md)
			}
			for _, o := range observe(r.sink.drain()...) {
				var i int
				_, err := fmt.Sscan(o.attributes["route"].(string), &i)
				require.NoError(t, err)
				own += grown[i]
			}
			all += int64(requests)
		}
		r.maintain()
	}
	return float64(own) / float64(all)
}

// whole is more than the number of points of an export.
const whole = 1 << 20

// The traffic has a Zipf distribution over 20,000 routes and comes in random order. If an export is one batch, a limit of 500
// names nearly the possible maximum, and not much less if no batch shows more than 1,000 requests. The rule first come, first
// served named a third of it.
func TestSoakHeavyRoutesAreNamed(t *testing.T) {
	best := newTraffic(20_000).upTo[499]
	for name, c := range map[string]struct {
		temporality       pmetric.AggregationTemporality
		exports, requests int
		share             float64 // minimum, as a share of the maximum
	}{
		"deltas of 1,000 requests": {delta, 5, 1_000, 0.85},
		"streams of one SDK":       {cumulative, 1, 5_000, 0.9},
	} {
		contested := named(t, c.temporality, c.exports, c.requests, 0.8, whole)
		t.Logf("%s: %.0f %% with the doorkeeper, %.0f %% at best", name, 100*contested, 100*best)
		if os.Getenv("SOAK") != "" { // for comparison only; needs as much time again
			t.Logf("%s: %.0f %% heaviest first alone", name, 100*named(t, c.temporality, c.exports, c.requests, 1, whole))
			t.Logf("%s: %.0f %% where an export of a minute comes in shuffled batches of 1,000 points", name,
				100*named(t, c.temporality, 1, c.exports*c.requests, 0.8, 1000))
		}
		require.Greater(t, contested, c.share*best)
	}
}

// Ten steady routes get their places although an SDK repeats an explosion of one-off identities in every export: within three
// minutes of a rotation, or of their first export while a tenth is free.
func TestSteadyNewcomersGetPlaces(t *testing.T) {
	for name, temporality := range map[string]pmetric.AggregationTemporality{"delta": delta, "cumulative": cumulative} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				c.Limits = []LimitConfig{limitOf(100, "overflow", "metric.name")}
				c.Admission.ContestedAt = 0.8
			})
			start := r.clock.Now()
			rng := rand.New(rand.NewPCG(3, 4))
			waited := make(map[string]int)
			var ids []string // streams of the explosion, as its SDK keeps them
			for minute := range 90 {
				from := r.clock.Now()
				r.clock.Add(time.Minute)
				b := newBatch("orders")
				points := b.sum("requests", temporality, true)
				if temporality == delta {
					ids = ids[:0]
				}
				for range 50 {
					ids = append(ids, fmt.Sprintf("one-off %d", rng.Uint64()))
				}
				for _, id := range ids {
					put(points, 1, from, r.clock.Now(), "route", id)
				}
				if minute >= 5 {
					for i := range 10 {
						put(points, int64(minute), from, r.clock.Now(), "route", fmt.Sprint("steady ", i))
					}
				}
				if temporality == cumulative {
					for _, p := range points.All() {
						p.SetStartTimestamp(newTimestamp(start))
					}
				}
				r.send(b.md)
				for _, o := range observe(r.sink.drain()...) {
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
