package cluster

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

// BenchmarkRun measures how long an exchange of four calls lasts, with 1 series and with 100 in each call.
func BenchmarkRun(b *testing.B) {
	for _, items := range []int{1, 100} {
		for _, goroutines := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%d series, %d goroutines", items, goroutines), func(b *testing.B) { benchmarkRun(b, items, goroutines) })
		}
	}
}

func benchmarkRun(b *testing.B, items, goroutines int) {
	m := New(Options{
		Store: StoreOptions{Endpoints: []string{storetest.Start(b).Addr}}, Prefix: "test", Name: "a", Configuration: "one",
		Limits: []Limit{{"metric", 1}}, Length: length, Generations: 2, Timeout: time.Minute, Refresh: time.Minute, MinGateways: 1,
		Budget: budget.New(64 << 20), Log: zap.NewNop(), Now: time.Now,
	})
	m.Join()
	require.Equal(b, Joined, m.State())
	b.Cleanup(func() { require.NoError(b, m.Close(b.Context())) })
	c := m.common()
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for g := range goroutines {
		wg.Go(func() {
			calls := make([]call, 4)
			for i := range calls {
				calls[i] = call{op: opAsk, key: m.key(keyID{0, uint64(4*g + i)}), terms: terms{10_000, 10_000}} //nolint:gosec // small
				for s := range uint64(items) {                                                                  //nolint:gosec // small
					calls[i].items = append(calls[i].items, text(s<<3), "0")
				}
			}
			var lasted []time.Duration
			for range b.N / goroutines {
				begin := time.Now()
				if err := m.store.run(b.Context(), c, calls); err != nil {
					b.Error(err)
					return
				}
				lasted = append(lasted, time.Since(begin))
			}
			mu.Lock()
			all = append(all, lasted...)
			mu.Unlock()
		})
	}
	wg.Wait()
	b.StopTimer()
	if slices.Sort(all); len(all) > 0 {
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
	}
}
