package limit

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// The reserved memory of many small keys is their size on the heap.
func TestReservedIsWhatKeysTake(t *testing.T) {
	const keys = 50_000
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // frees the content of pools
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	budget, before := budget.New(1<<30), heap()
	s, err := NewSet([]Spec{{Name: "l", Key: parts(t, "resource.r", "metric.name"), MaxSeries: 5, Action: Drop}}, Options{
		Window: time.Hour, MaxKeys: 2 * keys, Now: time.Now,
		Tracker: tracker.Options{ExactUpTo: 10, FalsePositiveRate: 1e-4, Generations: 2, Budget: budget},
	})
	require.NoError(t, err)
	c := s.Begin(headers{})
	for i := range keys {
		offer(c, testPoint{resource: fmt.Sprint("service", i), metric: "requests"})
	}
	c.End()
	held := heap() - before
	t.Logf("%d B a key reserved, %d B on the heap", budget.Used()/keys, held/keys)
	require.InDelta(t, budget.Used(), held, 0.25*float64(held))
	runtime.KeepAlive(s)
}
