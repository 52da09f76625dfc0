package series

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

func TestAliasesAreBounded(t *testing.T) {
	o := testOptions()
	o.MaxAliases, o.Tables = 100, 2
	g := newGroup(o)
	tags := []string{"a:1", "b:2", "c:3", "d:4", "e:5", "f:6"}
	rng := rand.New(rand.NewPCG(5, 6))
	most := 0
	for i := range 5000 {
		rng.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
		g.add(i%2, 0, "m:1|c|#"+strings.Join(tags, ","))
		most = max(most, g.known())
		require.Equal(t, g.aliases.Load(), int64(g.known()), "each costs one")
	}
	assert.Equal(t, 100, most)
	found := g.flush()
	assert.Len(t, found, 1)
	assert.Equal(t, int64(5000), whole(must(t, found, "m|counter|a=1|b=2|c=3|d=4|e=5|f=6")))
}

// One table can use the whole limit, because one client socket reaches one reader.
func TestOneBusyTableHasAllAliases(t *testing.T) {
	o := testOptions()
	o.MaxSeries, o.MaxAliases, o.Tables = 1000, 1000, 4
	g := newGroup(o)
	send := func() {
		for i := range 1000 {
			g.add(2, 0, fmt.Sprintf("m:1|c|#id:%d", i))
		}
	}
	send()
	assert.Equal(t, 1000, g.tables[2].young.n)
	for range 20 { // through rotations
		g.flush()
		send()
		assert.Equal(t, 1000, g.known())
		assert.Equal(t, 1000, g.tables[2].young.n, "all in use, none resolved again")
	}
	// After two rotations another table can use the limit of an idle one.
	for range 2 * o.ExpirySwaps {
		g.add(1, 0, "a:1|c")
		g.flush()
	}
	assert.Equal(t, 1, g.known())
}

// A flood of unknown lines does not make the table drop aliases that are in use.
func TestFloodLeavesWhatIsInUse(t *testing.T) {
	o := testOptions()
	o.MaxSeries, o.MaxAliases, o.Tables = 10, 400, 2
	g := newGroup(o)
	next, resolved := 0, 0
	for range 1000 {
		for i := range 5 {
			l := line.Line{}
			line.Parse(fmt.Appendf(nil, "used%d:1|c", i), &l, &o.Limits)
			hash := g.hash(&l)
			young, _ := g.tables[0].young.find(hash, &l)
			old, _ := g.tables[0].old.find(hash, &l)
			if young == nil && old == nil {
				resolved++
			}
			g.add(0, 0, fmt.Sprintf("used%d:1|c", i))
		}
		for range 10 {
			g.add(0, 0, fmt.Sprintf("flood:1|c|#id:%d", next))
			next++
		}
		require.LessOrEqual(t, g.known(), 400)
	}
	assert.Equal(t, 5, resolved, "each once")
}

// The table refuses a chunk whose index does not fit into an alias, because the alias would name another chunk.
func TestChunksOfAliasesAreBounded(t *testing.T) {
	g := newGroup(testOptions())
	young := &g.tables[0].young
	young.chunks = make([][]byte, maxChunks)
	g.add(0, 0, "a:1|c", "a:1|c")
	assert.Len(t, young.chunks, maxChunks)
	assert.Zero(t, g.known())
	assert.Equal(t, int64(2), whole(must(t, g.flush(), "a|counter")))
}

// A long alias counts as several.
func TestLongKeysAreBounded(t *testing.T) {
	o := testOptions()
	o.MaxAliases = 2000
	g := newGroup(o)
	for i := range 5000 {
		g.add(0, 0, fmt.Sprintf("m:1|c|#%d:%s", i, strings.Repeat("x", 8000)))
	}
	table := g.tables[0]
	held := (len(table.young.chunks) + len(table.old.chunks)) * chunkBytes
	assert.LessOrEqual(t, held, 2*o.MaxAliases*aliasBytes)
	assert.Positive(t, g.known())
}

// An alias of the older generation stays there if the younger one gets no memory, even if its line comes often.
func TestKnownLinesWithoutMemoryAreCountedOnce(t *testing.T) {
	o := testOptions()
	o.ExpirySwaps = 2 // each swap rotates
	g := newGroup(o)
	long := "long:1|c|#" + strings.Repeat("x", 10*aliasBytes)
	g.add(0, 0, "short:1|c", long)
	g.flush()
	table := g.tables[0]
	held := g.aliases.Load()
	g.budget.Force(int(o.MaxBytes))
	for range 2 {
		g.add(0, 0, "short:1|c")
	}
	assert.Equal(t, 2, table.young.n+table.old.n)
	assert.Equal(t, held, g.aliases.Load())
	g.budget.Release(int(o.MaxBytes))
	g.add(0, 0, "short:1|c", long)
	assert.Equal(t, 2, table.young.n)
	assert.Equal(t, held, g.aliases.Load())
	for range 2 {
		g.flush()
	}
	assert.Zero(t, g.aliases.Load())
}
