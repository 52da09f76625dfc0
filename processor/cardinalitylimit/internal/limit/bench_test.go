package limit

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// load is the work of one goroutine: batches of 1,000 points with five attributes.
type load struct {
	metrics []pmetric.Metric
	points  [][]pcommon.Map
}

func newLoad(goroutine, metrics int) *load {
	l := &load{}
	for m := range metrics {
		metric := pmetric.NewMetric()
		metric.SetName(fmt.Sprint("requests", m))
		l.metrics = append(l.metrics, metric)
		var points []pcommon.Map
		for i := range 1000 / metrics {
			p := pcommon.NewMap()
			p.PutStr("id", fmt.Sprint(goroutine*1000+i))
			for a := range 4 {
				p.PutStr(fmt.Sprint("attribute.", a), fmt.Sprint("value-", a))
			}
			points = append(points, p)
		}
		l.points = append(l.points, points)
	}
	return l
}

// send decides on all points.
func (l *load) send(s *Set, r pcommon.Resource, sc pcommon.InstrumentationScope) {
	c := s.Begin(headers{})
	defer c.End()
	c.Resource(r)
	c.Scope(sc)
	for m := range l.metrics {
		c.Metric(l.metrics[m])
		for _, p := range l.points[m] {
			c.Decide(p, false)
		}
	}
}

// The benchmark has goroutines that share one key, which is the worst case for locks, and goroutines with many keys. A sample
// is a batch of 1,000 points.
func BenchmarkDecide(b *testing.B) {
	for _, keys := range []int{1, 100} {
		for _, places := range []int{100_000, 10} {
			for _, goroutines := range []int{1, 2, 8} {
				kind := map[int]string{100_000: "known", 10: "over"}[places]
				b.Run(fmt.Sprintf("keys=%d/%s/goroutines=%d", keys, kind, goroutines), func(b *testing.B) {
					s := newSet(b, Spec{Name: "metric", Key: parts(b, "metric.name"), MaxSeries: places, Action: Drop})
					var loads []*load
					r, sc := pcommon.NewResource(), pcommon.NewInstrumentationScope()
					for st := range goroutines {
						loads = append(loads, newLoad(st, keys))
						loads[st].send(s, r, sc)
					}
					times := make([][]time.Duration, goroutines)
					var left atomic.Int64
					left.Store(int64(b.N))
					b.ReportAllocs()
					b.ResetTimer()
					var wg sync.WaitGroup
					for st := range goroutines {
						wg.Go(func() {
							for left.Add(-1) >= 0 {
								begin := time.Now()
								loads[st].send(s, r, sc)
								times[st] = append(times[st], time.Since(begin))
							}
						})
					}
					wg.Wait()
					all := slices.Sorted(slices.Values(slices.Concat(times...)))
					require.NotEmpty(b, all)
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
					b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
					b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
				})
			}
		}
	}
}
