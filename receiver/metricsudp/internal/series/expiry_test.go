package series

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIdleSeriesExpireAndMakeRoom(t *testing.T) {
	o := testOptions()
	o.MaxSeries, o.ExpirySwaps = 2, 4
	g := newGroup(o)
	g.add(0, 0, "old1:1|c", "old2:1|c", "new:1|c")
	must(t, g.flush(), "new|counter|overflow")
	for range 4 {
		assert.Equal(t, 3, g.Len())
		g.add(0, 0, "old1:1|c", "new:1|c")
		g.flush()
	}
	assert.Equal(t, 2, g.Len(), "old2 is gone")
	var found map[string]*Series
	for range 4 { // until the alias of the overflow series is looked up again
		g.add(0, 0, "old1:1|c", "new:1|c")
		found = g.flush()
	}
	must(t, found, "new|counter")
	must(t, found, "old1|counter")
}

// An expired series that comes back is one series, even if several tables receive it.
func TestExpiredSeriesComesBackOnce(t *testing.T) {
	for expiry := uint64(2); expiry < 8; expiry++ {
		o := testOptions()
		o.Tables, o.ExpirySwaps = 2, expiry
		g := newGroup(o)
		rng := rand.New(rand.NewPCG(7, expiry))
		sent, got := int64(0), int64(0)
		for range 3000 {
			for table := range 2 {
				if rng.IntN(int(expiry)) == 0 {
					g.add(table, 0, "a:1|c")
					sent++
				}
			}
			g.Advance()
			live := map[*Series]bool{}
			for _, table := range g.tables {
				table.Swap().Merge(func(s *Series, _ bool) { live[s] = true })
			}
			require.LessOrEqual(t, len(live), 1, "two series of one identity")
			for s := range live {
				got += whole(s)
				s.Clear()
			}
			g.Sweep(func(*Series) {})
		}
		assert.Equal(t, sent, got)
	}
}

// A series whose points have no room remains in use: it does not expire before its aliases. Otherwise another spelling would
// create a second series.
func TestSeriesOutlivesPointsWithoutRoom(t *testing.T) {
	o := testOptions()
	o.TimedPoints, o.ExpirySwaps = 1, 4
	g := newGroup(o)
	g.add(0, 0, "a:1|c|T1")
	a := g.tables[0].active.Timed[0].Series
	g.flush()
	for range 20 {
		g.add(0, 0, "first:1|c|T1", "a:1|c|T1")
		g.Advance()
		g.tables[0].Swap().Merge(func(_ *Series, values bool) {
			assert.False(t, values, "there is no point but the timed one")
		})
		g.Sweep(func(*Series) {})
	}
	g.add(0, 0, "a:1|c|#,", "a:1|c")
	assert.Same(t, a, must(t, g.flush(), "a|counter"))
	assert.Equal(t, int64(2), whole(a))
}
