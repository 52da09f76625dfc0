package cardinalitylimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// application started long before the gateways. Its streams have the start of the process and large values, and new ones come
// with every export.
type application struct {
	rng    *rand.Rand
	begun  time.Time
	value  []int64
	unseen int   // old streams that have had no point yet
	grown  int64 // growth of the folded streams since the first export
}

const (
	oldStreams = 200
	places     = 20 // the first streams, which pass
)

func newApplication(rng *rand.Rand, begun time.Time, lifetime int64, unseen int) *application {
	a := &application{rng: rng, begun: begun, unseen: unseen}
	for range oldStreams {
		a.value = append(a.value, lifetime/2+rng.Int64N(lifetime))
	}
	return a
}

// export returns the streams to send, after one in ten of the shown ones grew and five new ones came.
func (a *application) export() (streams []int) {
	known := len(a.value)
	a.value = append(a.value, make([]int64, 5)...)
	for i := range a.value {
		if a.hidden(i) {
			continue
		}
		var grown int64
		if i >= known || a.rng.IntN(10) == 0 {
			grown = 1 + a.rng.Int64N(10)
		}
		a.value[i] += grown
		if i >= places {
			a.grown += grown
		}
		streams = append(streams, i)
	}
	return streams
}

// hidden reports whether stream i is an old one whose first point comes later.
func (a *application) hidden(i int) bool { return i < oldStreams && i >= oldStreams-a.unseen }

func (a *application) send(r *rig, streams []int, at time.Time) {
	if len(streams) == 0 {
		return
	}
	b := newBatch("orders")
	points := b.sum("requests", cumulative, true)
	for _, i := range streams {
		put(points, a.value[i], a.begun, at, "id", fmt.Sprint(i))
	}
	r.send(b.md)
}

// The test measures the counted growth of an application that is older than the gateway, in percent of the true growth. Streams
// that the gateway has not seen count in full if the collections of their writer prove that they are new.
func TestFirstValues(t *testing.T) {
	half := func(rng *rand.Rand, streams []int, from int) (in, out []int) {
		for _, i := range streams {
			if i < from || rng.IntN(2) == 0 {
				in = append(in, i)
			} else {
				out = append(out, i)
			}
		}
		return in, out
	}
	type gateways []*rig
	for _, c := range []struct {
		name     string
		gateways int
		unseen   int
		send     func(a *application, g gateways, round int, streams []int, at time.Time)
		large    [2]float64 // minimum and maximum, percent, for lifetime values of 100,000
		small    [2]float64 // for 50
	}{
		{
			"young gateway", 1, 0,
			func(a *application, g gateways, _ int, streams []int, at time.Time) { a.send(g[0], streams, at) },
			[2]float64{95, 100},
			[2]float64{95, 100},
		},
		{
			"restarted without storage, half a collection first", 1, 0,
			func(a *application, g gateways, round int, streams []int, at time.Time) {
				if round == 0 {
					_, streams = half(a.rng, streams, 0)
				}
				a.send(g[0], streams, at)
			},
			[2]float64{95, 100},
			[2]float64{95, 100},
		},
		{
			"parts of a collection to two gateways", 2, 0,
			func(a *application, g gateways, _ int, streams []int, at time.Time) {
				one, two := half(a.rng, streams, 0)
				a.send(g[0], one, at)
				a.send(g[1], two, at)
			},
			[2]float64{80, 100},
			[2]float64{80, 120},
		},
		{
			"half of the old streams left out each time", 1, 0,
			func(a *application, g gateways, _ int, streams []int, at time.Time) {
				shown, _ := half(a.rng, streams[:oldStreams], places)
				a.send(g[0], append(shown, streams[oldStreams:]...), at)
			},
			[2]float64{80, 100},
			[2]float64{80, 120},
		},
		{
			"five old streams first shown in each export", 1, 100,
			func(a *application, g gateways, _ int, streams []int, at time.Time) {
				a.send(g[0], streams, at)
				a.unseen = max(a.unseen-5, 0)
			},
			[2]float64{85, 100},
			[2]float64{85, 150},
		},
		{
			"whole exports that alternate between two gateways", 2, 0,
			func(a *application, g gateways, round int, streams []int, at time.Time) {
				a.send(g[round%2], streams, at)
			},
			[2]float64{90, 105},
			[2]float64{90, 105},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for lifetime, bounds := range map[int64][2]float64{100_000: c.large, 50: c.small} {
				shares := map[string]float64{}
				for _, rule := range []string{"start", "evidence"} {
					clock := harness.NewClock()
					var g gateways
					for range c.gateways {
						g = append(g, startRig(t, clock, componenttest.NewNopHost(), func(cfg *Config) {
							cfg.Limits = []LimitConfig{limitOf(places, "overflow", "metric.name")}
							cfg.Reaggregate.FirstValue = rule
						}))
					}
					a := newApplication(rand.New(rand.NewPCG(uint64(lifetime), 13)), clock.Now().Add(-24*time.Hour), lifetime, c.unseen)
					for round := range 60 {
						clock.Add(10 * time.Second)
						streams := a.export()
						if round < c.gateways {
							a.grown = 0 // counted from
						}
						c.send(a, g, round, streams, clock.Now())
					}
					var counted int64
					for _, r := range g {
						r.sink.drain()
						for _, o := range r.flushed() {
							counted += o.value
						}
						require.NoError(t, r.stop())
					}
					shares[rule] = 100 * float64(counted) / float64(a.grown) / float64(c.gateways)
				}
				t.Logf("lifetime values of %d: evidence %.0f %%, start %.0f %%", lifetime, shares["evidence"], shares["start"])
				require.GreaterOrEqual(t, shares["evidence"], bounds[0])
				require.LessOrEqual(t, shares["evidence"], bounds[1])
				require.GreaterOrEqual(t, shares["evidence"], shares["start"])
			}
		})
	}
}

// A forgotten stream is no evidence about other streams. The first value of another service's stream still counts.
func TestForgottenStreamsAreNoHorizon(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")}
	})
	begun := r.clock.Now()
	send := func(service string, ids ...string) {
		b := newBatch(service)
		points := b.sum("requests", cumulative, true)
		for _, id := range ids {
			put(points, 10, begun.Add(time.Second), r.clock.Now(), "id", id)
		}
		r.send(b.md)
		r.sink.drain()
	}
	r.clock.Add(2 * time.Second)
	send("orders", "incumbent", "dies")
	require.EqualValues(t, 10, r.flushed()[0].value)
	for range 4 { // the folded stream is forgotten, and the incumbent keeps its place
		r.clock.Add(29 * time.Minute)
		send("orders", "incumbent")
		r.flushed()
		r.maintain()
	}
	send("orders", "incumbent", "dies")
	send("carts", "x")
	require.EqualValues(t, 10, r.flushed()[0].value, "the one that had been counted does not count again")
}

// The tracker knows which series had places. The first folded value of a series that passed before is a baseline. Strangers
// count as new.
func TestStreamsThatLostTheirPlaces(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(2, "overflow", "metric.name")}
	})
	begun := r.clock.Now()
	send := func(value int64, ids ...string) pmetric.Metrics {
		b := newBatch("orders")
		points := b.sum("requests", cumulative, true)
		for _, id := range ids {
			put(points, value, begun.Add(time.Second), r.clock.Now(), "id", id)
		}
		return b.md
	}
	r.clock.Add(2 * time.Second)
	r.send(send(100, "a", "b"))
	r.clock.Add(61 * time.Minute)
	r.send(send(5, "c", "d")) // these series have the places now
	r.send(send(107, "a", "e"))
	r.sink.drain()
	require.EqualValues(t, 107, r.flushed()[0].value, "e counts, a is one to count from")
	r.clock.Add(time.Second)
	r.send(send(110, "a"))
	r.sink.drain()
	require.EqualValues(t, 110, r.flushed()[0].value)
	require.NoError(t, r.flush(context.Background(), false))
}

// The first value of a new stream counts, although a limit that only gives the overflow series a place has forgotten other series. If
// together is set, the new point follows one of a known series in the same request. Otherwise it is alone.
func TestFirstValueAfterALaterLimitForgot(t *testing.T) {
	for _, together := range []bool{false, true} {
		for _, mode := range []string{"start", "evidence"} {
			t.Run(fmt.Sprintf("%s/together=%t", mode, together), func(t *testing.T) {
				r := newRig(t, func(c *Config) {
					c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name"), limitOf(100_000, "drop")}
					c.Limits[0].Name, c.Limits[1].Name = "metric", "total"
					c.Limits[1].Count, c.Limits[1].Key = countStreams, []string{}
					c.Reaggregate.FirstValue = mode
					c.Window.Duration = time.Hour
				})
				began := r.clock.Now().Add(time.Second) // the sender started after us
				r.clock.Add(2 * time.Second)
				send := func(name string, values map[string]int64, ids ...string) {
					b := newBatch("orders")
					points := b.sum(name, cumulative, true)
					for _, id := range ids {
						put(points, values[id], began, r.clock.Now(), "id", id)
					}
					r.send(b.md)
				}
				send("m", map[string]int64{"a": 1}, "a")
				send("forgotten", map[string]int64{"x": 1}, "x")
				for i := range int64(40) {
					r.clock.Add(10 * time.Minute)
					send("m", map[string]int64{"a": i + 2}, "a")
					send("m", map[string]int64{"folded": i + 1}, "folded")
					r.measure() // sweeps
				}
				r.sink.drain()
				before := r.flushed()[0].value
				r.clock.Add(time.Second)
				values := map[string]int64{"a": 42, "folded": 40, "new": 7}
				if together {
					send("m", values, "a", "folded", "new")
				} else {
					send("m", values, "folded") // the overflow series has its place in this generation
					send("m", values, "new")
				}
				r.sink.drain()
				require.EqualValues(t, 7, r.flushed()[0].value-before)
				require.Zero(t, r.counter("unbaselined_points"))
			})
		}
	}
}
