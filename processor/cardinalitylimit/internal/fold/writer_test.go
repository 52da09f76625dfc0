package fold

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A first value counts from the third collection on, up to 30 times the reference. It does not count within ten collections
// after one that was smaller than the one before.
func TestEvidence(t *testing.T) {
	require.LessOrEqual(t, int(unsafe.Sizeof(writer{})+unsafe.Sizeof(uint64(0))), writerBytes)
	var w writer
	at := begun
	collect := func(points uint32, sizes ...float64) float64 {
		at += 10 * collectionWidth
		w.addPart(&collectionPart{newest: at, points: points}, 1)
		w.learn(sizes)
		return w.evidence().most
	}
	require.Zero(t, collect(10, 2))
	require.Zero(t, collect(10, 8, 4, 100_000, 100_000, 100_000))
	require.InDelta(t, 30*8, collect(10, 9), 0, "the first collection says nothing about sizes")
	require.Equal(t, at-10*collectionWidth, w.evidence().before)
	require.InDelta(t, 30*8, collect(20), 0)
	require.InDelta(t, 30*5, collect(19, 5, 6), 0, "that it is smaller is known when it is whole")
	for range barredFor {
		require.Zero(t, collect(19))
	}
	require.InDelta(t, 30*5, collect(19), 0)
	// The parts are those of one collection, and one of an older collection.
	w.addPart(&collectionPart{newest: at + collectionWidth/2, points: 5}, 1)
	require.EqualValues(t, 24, w.points)
	w.addPart(&collectionPart{newest: at - 10*collectionWidth, points: 5}, 1)
	require.EqualValues(t, 24, w.points)
}

// The filters have no false negatives. They return the time until which they have lost identities.
func TestForgotten(t *testing.T) {
	_, budget := newTable(1)
	f := newForgotten(1000, budget)
	rng := rand.New(rand.NewPCG(1, 1))
	var ids []uint64
	for now := int64(1); now <= 3000; now++ {
		id := rng.Uint64()
		ids = append(ids, id)
		lost := f.add(id, now)
		require.True(t, f.has(id))
		if lost != 0 {
			require.GreaterOrEqual(t, now-lost, int64(990))
			for i := lost; i < now; i++ {
				require.True(t, f.has(ids[i]), "added at %d", i+1)
			}
		}
	}
	strangers := 0
	for range 100_000 {
		if f.has(rng.Uint64()) {
			strangers++
		}
	}
	require.Less(t, strangers, 300)
	image := f.image()
	again := newForgotten(1000, budget)
	require.Zero(t, again.restore(&image))
	require.True(t, again.has(ids[2999]))
	other := newForgotten(2000, budget)
	image = f.image()
	require.EqualValues(t, 3000, other.restore(&image), "of another size")
}

// Writers are stored. They are no evidence after a kill.
func TestWritersAreStored(t *testing.T) {
	table, _ := newTable(100)
	b := table.Batch()
	for i := range int64(3) {
		b.NotePoint(7, begun+i*collectionWidth)
		b.NotePoint(9<<58, begun+i*collectionWidth)
	}
	b.Commit()
	for killed, serial := range map[bool]uint32{false: 3, true: 0} {
		again, budget := newTable(100)
		again.Restore(stored(t, table.Cut()), killed)
		require.Equal(t, serial, again.writers.serial(7))
		require.Equal(t, serial, again.writers.serial(9<<58))
		again.opts.Now = func() time.Time { return time.Unix(0, begun).Add(2 * time.Hour) }
		again.Sweep()
		require.Zero(t, budget.Used())
	}
}

// The benchmark measures See for a hundred points of each of a thousand writers, including commits.
func BenchmarkSee(b *testing.B) {
	table, _ := newTable(10_000)
	batch := table.Batch()
	b.ReportAllocs()
	for i := 0; i < b.N; {
		for w := range uint64(1000) {
			id := w * 0x9e3779b97f4a7c15
			for range 100 {
				batch.NotePoint(id, begun)
			}
			i += 100
		}
		batch.Commit()
	}
}
