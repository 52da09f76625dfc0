package series

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A Swap that rotates uses the entries that the Merge before it has allocated. The reader reads nothing during a Swap, so it must
// not allocate or clear entries.
func TestAllocsSwap(t *testing.T) {
	if raceDetector {
		t.Skip("in the run without the race detector")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the garbage collector also allocates
	for _, expiry := range []uint64{2, 4, 6} {
		o := testOptions()
		o.ExpirySwaps = expiry
		g := newGroup(o)
		table := g.tables[0]
		for range 20 {
			for i := range 1000 {
				g.add(0, 1, fmt.Sprintf("a:1|c|#x:%d", i))
			}
			before := table.young.entries
			allocated := mallocs()
			e := table.Swap()
			allocated = mallocs() - allocated
			if rotated := &before[0] != &table.young.entries[0]; rotated && table.swaps > 2*expiry {
				assert.Zero(t, allocated, expiry)
			}
			e.Merge(func(*Series, bool) {})
		}
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// The entries for a rotation are charged. If they are too few, they are released.
func TestOrderedEntriesAreCharged(t *testing.T) {
	o := testOptions()
	o.ExpirySwaps, o.MaxAliases = 2, 100_000
	g := newGroup(o)
	table := g.tables[0]
	for _, n := range []int{1, 10, 1000, 1000, 1, 1, 1} { // grows beyond the ordered entries, and shrinks
		for i := range n {
			g.add(0, 1, fmt.Sprintf("a:1|c|#x:%d", i))
		}
		e := table.Swap()
		assert.Equal(t, len(table.young.entries)*aliasStruct, table.young.bytes)
		e.Merge(func(*Series, bool) {})
	}
	held := table.young.bytes + table.old.bytes + len(table.epochs[1-table.active.half].spare)*aliasStruct
	series := len(g.all) * (partCharge(sums{}))
	for _, s := range g.all {
		series += g.seriesBytes(s.key, s.Metric.Name)
	}
	assert.Equal(t, int64(held+series), g.budget.Used())
}
