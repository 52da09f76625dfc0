package series

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// A line of a known spelling whose series has values in the interval locks no mutex: it is counted while the test holds all locks.
func TestKnownLinesTakeNoLock(t *testing.T) {
	const lines = "a:1|c|#x:1\na:1|c|@0.3|#x:1\ng:+1|g\nt:320|ms\nh:-5|h\nd:1:2|d|#x\ns:alice|s\nbad\na:1|x\n_sc|x|0"
	g := newGroup(testOptions())
	g.add(0, 0, lines)
	func() {
		for _, lock := range []interface {
			Lock()
			Unlock()
		}{&g.mu, &g.aggregators.kinds[line.Timer].(*tallies[*histogram]).pool.mu, &g.aggregators.kinds[line.Set].(*uniques).pool.mu} {
			lock.Lock()
			defer lock.Unlock()
		}
		for range 1000 {
			g.add(0, 0, lines)
		}
	}()
	g.flush()
	assert.Equal(t, uint64(1001*10), totalOf(g.stats.Lines[:])+totalOf(g.stats.Rejected[:]))
}

// BenchmarkSwap measures the pause of a reader at the end of an interval, during which it reads no datagrams: the mean and the
// longest pause.
func BenchmarkSwap(b *testing.B) {
	for _, series := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			o := testOptions()
			o.MaxSeries, o.MaxAliases, o.ExpirySwaps = series, 2*series, 60 // 5m of 5s
			g := newGroup(o)
			datagrams, _ := packed(series, 4, "1", "c")
			var longest, all time.Duration
			for b.Loop() {
				for _, d := range datagrams {
					g.tables[0].Datagram(d, false, 1, netip.Addr{})
				}
				g.Advance()
				began := time.Now()
				e := g.tables[0].Swap()
				pause := time.Since(began)
				longest, all = max(longest, pause), all+pause
				e.Merge(func(s *Series, _ bool) { s.FinishMerge(); s.Clear() })
			}
			b.ReportMetric(float64(all.Microseconds())/float64(b.N), "us/swap")
			b.ReportMetric(float64(longest.Microseconds()), "longest-us")
			b.ReportMetric(0, "ns/op") // without the lines between two pauses
		})
	}
}
