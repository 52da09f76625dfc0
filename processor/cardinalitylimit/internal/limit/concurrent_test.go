package limit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Goroutines share every key of three limits while time passes. Incumbents report in each batch, strangers once. No incumbent
// is ever refused. The other places go to strangers, one for each: those admitted in a generation keep them for two.
func TestManyGoroutinesAreExactThroughRotations(t *testing.T) {
	const (
		goroutines, generations, batches = 8, 12, 40 // batches per generation
		incumbents, limit                = 50, 80
	)
	for name, exactUpTo := range map[string]int{"exact": 1000, "bloom": 10} {
		t.Run(name, func(t *testing.T) {
			var clock, begun, strangers, admitted atomic.Int64
			s, err := NewSet([]Spec{
				{Name: "label", Key: parts(t, "metric.name"), MaxValues: limit, Action: Drop},
				{Name: "metric", Key: parts(t, "metric.name"), MaxSeries: limit, Action: Drop},
				{Name: "resource", Key: parts(t, "resource.r"), Streams: true, MaxSeries: limit, Action: Drop},
			}, Options{
				Window: 2 * time.Hour, MaxKeys: 1000, Seed: 1,
				Now: func() time.Time { return time.Unix(1<<30/3600*3600, 0).Add(time.Duration(clock.Load()) * time.Hour) },
				Tracker: tracker.Options{
					ExactUpTo: exactUpTo, FalsePositiveRate: 1e-9, Generations: 2, Budget: budget.New(1 << 26),
				},
			})
			require.NoError(t, err)
			send := func(points func(decide func(id string) Action)) {
				c := s.Begin(headers{})
				defer c.End()
				m := pmetric.NewMetric()
				m.SetName("requests")
				c.Resource(pcommon.NewResource())
				c.Scope(pcommon.NewInstrumentationScope())
				c.Metric(m)
				points(func(id string) Action {
					attrs := pcommon.NewMap()
					attrs.PutStr("id", id)
					return c.Decide(attrs, false).Action
				})
			}
			report := func(decide func(id string) Action) {
				for i := range incumbents {
					if decide(fmt.Sprint("incumbent", i)) != Pass {
						t.Error("an incumbent was refused")
					}
				}
			}
			send(report)
			var wg sync.WaitGroup
			for range goroutines {
				wg.Go(func() {
					for n := begun.Add(1); n <= generations*batches; n = begun.Add(1) {
						if n%batches == 0 && n < generations*batches {
							clock.Add(1)
						}
						if n%7 == 0 {
							s.Sweep()
						}
						send(func(decide func(id string) Action) {
							report(decide)
							for range incumbents {
								if decide(fmt.Sprint(strangers.Add(1))) == Pass {
									admitted.Add(1)
								}
							}
						})
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, (limit-incumbents)*generations/2, admitted.Load())
			for _, u := range s.Sweep() {
				require.EqualValues(t, limit, u.Series, u.Limit)
			}
			t.Logf("%d strangers, %d admitted", strangers.Load(), admitted.Load())
		})
	}
}

// Keys are added, grow, change to Bloom filters, are stored and freed while other goroutines still remember them. No key ever
// passes more series than it has places. When all keys are freed, all reserved memory is released.
func TestManyGoroutinesOverKeysThatDie(t *testing.T) {
	const goroutines, steps, keys, limit = 8, 300, 40, 30
	for name, exactUpTo := range map[string]int{"exact": 1000, "bloom": 10, "only bloom": 0} {
		t.Run(name, func(t *testing.T) {
			var clock, begun atomic.Int64
			budget := budget.New(1 << 28)
			s, err := NewSet([]Spec{
				{Name: "label", Key: parts(t, "metric.name"), MaxValues: limit, Action: Strip},
				{Name: "observed", Key: parts(t, "metric.name", "attribute.a"), MaxSeries: 3, Action: Drop, DryRun: true},
				{Name: "metric", Key: parts(t, "metric.name"), MaxSeries: limit, Action: Overflow},
			}, Options{
				Window: time.Hour, MaxKeys: 1 << 20, Seed: 1,
				Now: func() time.Time { return time.Unix(1<<30, 0).Add(time.Duration(clock.Load()) * 20 * time.Minute) },
				Tracker: tracker.Options{
					ExactUpTo: exactUpTo, FalsePositiveRate: 1e-9, Generations: 3, Budget: budget,
				},
			})
			require.NoError(t, err)
			idle := budget.Used()
			var wg sync.WaitGroup
			for st := range goroutines {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(st), 12))
					for n := begun.Add(1); n <= steps; n = begun.Add(1) {
						if n%10 == 0 {
							clock.Add(1)
						}
						switch n % 5 {
						case 0:
							s.Sweep()
						case 1:
							store(t, s)
						}
						c := s.Begin(headers{})
						for range 200 {
							// The used keys change over time.
							metric := fmt.Sprint("m", (int(n)/20+rng.IntN(3))%keys)
							offer(c, testPoint{metric: metric, attributes: map[string]string{
								"a": fmt.Sprint(rng.IntN(20)), "b": fmt.Sprint(rng.IntN(100)),
							}})
						}
						c.End()
					}
				})
			}
			wg.Wait()
			for i, u := range s.Sweep() {
				require.Positive(t, u.Keys)
				require.LessOrEqual(t, u.Series, int64(s.limits[i].max)*u.Keys)
			}
			clock.Add(10)
			for _, u := range s.Sweep() {
				require.Zero(t, u.Keys)
				require.Zero(t, u.Series)
			}
			require.Equal(t, idle, budget.Used())
		})
	}
}
