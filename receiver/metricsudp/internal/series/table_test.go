package series

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

func TestRefusals(t *testing.T) {
	o := testOptions()
	o.MaxTags = 2
	g := newGroup(o)
	g.add(0, 0,
		"a:1|c|#1,2,3", "a:1|c|#:v", "a:-1|c", "a:1:-1|c", "a:1e19|c", "a:1e18|c|@0.01", "bad", "a:1|x",
		"a:1|c", "_sc|x|0", "_e{1,1}:a|b", "a:-1|g", "a:-1|h", "", "\r",
		"a|b:1|c", "a|c|#x:1|c")
	found := g.flush()
	assert.Equal(t, int64(1), whole(must(t, found, "a|counter")), "a refused line adds none of its values")
	assert.Equal(t, uint64(1), g.stats.Rejected[line.TooManyTags])
	assert.Equal(t, uint64(1), g.stats.Rejected[line.BadTag])
	assert.Equal(t, uint64(2), g.stats.Rejected[line.NegativeCounter])
	assert.Equal(t, uint64(2), g.stats.Rejected[line.OutOfRange])
	assert.Equal(t, uint64(3), g.stats.Rejected[line.NoValue])
	assert.Equal(t, uint64(1), g.stats.Rejected[line.UnknownType])
	assert.Equal(t, uint64(10), totalOf(g.stats.Rejected[:]))
	assert.Equal(t, uint64(5), totalOf(g.stats.Lines[:]))
}

func TestTruncatedDatagramKeepsItsWholeLines(t *testing.T) {
	g := newGroup(testOptions())
	g.tables[0].Datagram([]byte("a:1|c\na:2|c\na:3"), true, 0, netip.Addr{})
	e := g.tables[0].active
	assert.Equal(t, uint64(1), e.Stats.Truncated)
	assert.Equal(t, uint64(1), e.Stats.Rejected[line.Truncated])
	assert.Equal(t, "a:3", string(e.Example(line.Truncated)))
	assert.Equal(t, int64(3), whole(must(t, g.flush(), "a|counter")))
}

// A line of a known series allocates nothing, in any epoch, for every type and every aggregation.
func TestAllocsPerLine(t *testing.T) {
	lines := []string{
		"a:1|c|#x:1,y:2", "a:1|c|@0.3|#x:1,y:2", "a:1.5:2:3|c", "g:1.5|g|#x:1", "g:+1|g", "t:320|ms|#x:1", "h:320|h|@0.3",
		"d:1:2:3:1e3:-5:0|d|#x", "s:alice|s|#x", "s:alice|s", "_e{1,1}:a|b", "_sc|x|0", "bad", "x:y|c", "a:1|c|#x:1|c:ci-1|e:it-true|card:low",
	}
	lines = append(lines, "a:1|c|#x:1|c:in-4026531835|e:it-false,cn-web,pu-75a2b6d5-3949-4afb-ad0d-92ff0674e759")
	byAddress, byContainer := testOptions(), originOptions()
	byAddress.Origin = OriginIP
	sender := netip.MustParseAddr("2001:db8::7")
	stochastic := testOptions()
	stochastic.Random = func() rand.Source { return rand.NewPCG(1, 2) }
	mapped := mappedOptions()
	mapped.TimedPoints = 1000
	for _, run := range []struct {
		options Options
		lines   []string
	}{
		{testOptions(), lines},
		{byAddress, lines},
		{byContainer, lines},
		{stochastic, lines[:3]},
		{mapped, []string{
			"t:320|ms|#x:1", "t:320|ms|@0.3", "t:1:2:3:4:5:6:-7|ms|@0.5", // within maxSamples, and beyond it
			"h:320|h|#x:1", "h:1:2:3:4:5:6:7|h", // within TimedPoints, and beyond it
			"d:320|d|#x:1", "d:1:2:3:1e3:-5:0|d|@0.3", "other:1:2:3:1e3:-5:0|d",
		}},
	} {
		for _, in := range run.lines {
			g := newGroup(run.options)
			table, datagram := g.tables[0], []byte(in+"\n"+in)
			epoch := func() {
				for range 100 {
					table.Datagram(datagram, false, 1, sender)
				}
				table.Swap().Merge(func(s *Series, _ bool) {
					s.FinishMerge()
					if v, ok := s.value.(*SummaryValue); ok {
						v.Totals()
						v.Quantiles(func(float64, float64) bool { return true })
					}
					s.Clear()
				})
			}
			epoch() // allocates the memory of the series
			epoch() // and of the other half
			// A rotation, every ExpirySwaps/2 epochs, allocates. With 1,000 lines per epoch the mean would not show it.
			table.options.ExpirySwaps = 1 << 60
			assert.Zero(t, testing.AllocsPerRun(20, epoch), in)
		}
	}
}
