package history_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/history"
)

func TestSwap(t *testing.T) {
	table := history.New(100)
	_, known := table.Swap(1, history.Basis{Scale: 3})
	require.False(t, known)
	before, known := table.Swap(1, history.Basis{Scale: 2, Print: 5})
	require.True(t, known)
	require.Equal(t, history.Basis{Scale: 3}, before)
	before, known = table.Swap(1, history.Basis{Scale: 2, Print: 5})
	require.True(t, known)
	require.Equal(t, history.Basis{Scale: 2, Print: 5}, before)
	_, known = table.Swap(2, history.Basis{})
	require.False(t, known)
}

// What is seen in each round is kept however many others pass through; the table
// does not grow beyond its size.
func TestTableIsBounded(t *testing.T) {
	const size = 3200
	table, rng := history.New(size), rand.New(rand.NewPCG(1, 1))
	for id := range uint64(20 * size) {
		table.Swap(rng.Uint64(), history.Basis{Print: id})
		_, known := table.Swap(7, history.Basis{Print: 7})
		require.Equal(t, id > 0, known)
	}

	kept := 0
	first := rand.New(rand.NewPCG(1, 1))
	var last []uint64
	for range 20 * size {
		last = append(last, first.Uint64())
	}
	for i := len(last) - 1; i >= 0; i-- {
		if _, known := table.Swap(last[i], history.Basis{}); known {
			kept++
		}
	}
	require.LessOrEqual(t, kept, size)
}

func TestConcurrentUse(t *testing.T) {
	table := history.New(64)
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			for i := range uint64(5000) {
				id := i % 100
				if b, known := table.Swap(id, history.Basis{Start: id, Print: g}); known && b.Start != id {
					t.Errorf("stream %d has the basis of %d", id, b.Start)
				}
			}
		})
	}
	wg.Wait()
}

func TestAllocsSwap(t *testing.T) {
	table, id := history.New(1000), uint64(0)
	swap := func() {
		for range 10000 { // more than it holds: generations turn over
			id++
			table.Swap(id%5000, history.Basis{Print: id})
		}
	}
	swap()
	require.Zero(t, testing.AllocsPerRun(10, swap))
}

func BenchmarkSwap(b *testing.B) {
	table, id := history.New(1<<17), uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		id += 0x9e3779b97f4a7c15
		table.Swap(id>>50, history.Basis{Print: id})
	}
}
