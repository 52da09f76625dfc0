package history_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/history"
)

// swap replaces a stream's value and returns the former one.
func swap[V any](t *history.Table[V], id uint64, now V, words int) (before V, known bool) {
	t.Update(id, func(value *V, found bool) int {
		before, known = *value, found
		*value = now
		return words
	})
	return before, known
}

func TestUpdate(t *testing.T) {
	table := history.New[string](100, 1)
	_, known := swap(table, 1, "a", 1)
	require.False(t, known)
	before, known := swap(table, 1, "b", 1)
	require.True(t, known)
	require.Equal(t, "a", before)
	before, known = swap(table, 1, "b", 1)
	require.True(t, known)
	require.Equal(t, "b", before)
	require.Equal(t, 1, table.Len())
	_, known = swap(table, 2, "", 1)
	require.False(t, known)
	require.Equal(t, 2, table.Len())
}

// keptOf returns how many of the streams the table knows. It asks for the last one first.
func keptOf[V any](table *history.Table[V], ids []uint64) (kept int) {
	var none V
	for i := len(ids) - 1; i >= 0; i-- {
		if _, known := swap(table, ids[i], none, 0); known {
			kept++
		}
	}
	return kept
}

// Within its limits the table forgets no stream, in whatever order the streams are seen again.
func TestTableForgetsNothingWithinItsLimits(t *testing.T) {
	const size = 3200
	table, rng := history.New[uint64](size, 1), rand.New(rand.NewPCG(2, 2))
	ids := make([]uint64, size)
	for i := range ids {
		ids[i] = rng.Uint64()
		swap(table, ids[i], ids[i], 1)
	}
	for range 5 {
		for _, id := range ids {
			before, known := swap(table, id, id, 1)
			require.True(t, known)
			require.Equal(t, id, before)
		}
		rng.Shuffle(size, func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
	}
	require.Equal(t, size, table.Len())
}

// A stream that is seen again and again remains, however many others come. Among the others those seen last remain. The
// table does not grow beyond its size.
func TestTableIsBounded(t *testing.T) {
	const size = 3200
	table, rng := history.New[int](size, 1), rand.New(rand.NewPCG(1, 1))
	var ids []uint64
	for n := range 20 * size {
		ids = append(ids, rng.Uint64())
		swap(table, ids[n], n, 0)
		_, known := swap(table, 7, 7, 0)
		require.Equal(t, n > 0, known)
		require.LessOrEqual(t, table.Len(), size)
	}
	require.Equal(t, size, table.Len())
	require.Equal(t, size/2, keptOf(table, ids[len(ids)-size/2:]))
	require.Zero(t, keptOf(table, ids[:18*size]))
}

// Words bound the table too: if each stream refers to 16 times the average number of words, a sixteenth of the streams
// remains. Words that are added later also count.
func TestTableIsBoundedByWords(t *testing.T) {
	const size, each = 3200, 10
	for name, grow := range map[string]bool{"from the start": false, "growing": true} {
		table, rng := history.New[int](size, each), rand.New(rand.NewPCG(1, 1))
		var ids []uint64
		for n := range 20 * size {
			ids = append(ids, rng.Uint64())
			if grow {
				swap(table, ids[n], n, 1)
			}
			swap(table, ids[n], n, 16*each)
		}
		require.LessOrEqual(t, table.Len(), size/16, name)
		require.Greater(t, table.Len(), size/16-16, name)
	}
}

func TestConcurrentUse(t *testing.T) {
	table := history.New[uint64](64, 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range uint64(5000) {
				id := i % 100
				if before, known := swap(table, id, id, 1); known && before != id {
					t.Errorf("stream %d has the value of %d", id, before)
				}
			}
		})
	}
	wg.Wait()
}

func TestAllocsUpdate(t *testing.T) {
	table, id := history.New[uint64](1000, 1), uint64(0)
	update := func() {
		for range 10000 { // more than its size
			id++
			swap(table, id%5000, id, 1)
		}
	}
	update()
	require.Zero(t, testing.AllocsPerRun(10, update))
}

func BenchmarkUpdate(b *testing.B) {
	table, id := history.New[uint64](1<<17, 1), uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		id += 0x9e3779b97f4a7c15
		swap(table, id>>50, id, 1)
	}
}
