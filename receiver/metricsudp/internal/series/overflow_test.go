package series

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// totals returns the sum of the counters, and the number of values in the distributions.
func totals(found map[string]*Series) (count int64, observed uint64) {
	for _, s := range found {
		if s.Metric.Kind == line.Counter {
			count += whole(s)
		} else {
			observed += s.value.(*DistributionValue).Histogram().Count
		}
	}
	return count, observed
}

func TestOverflowKeepsTotals(t *testing.T) {
	o := testOptions()
	o.MaxSeries, o.Tables, o.MaxAliases = 10, 2, 50
	g := newGroup(o)
	for i := range 1000 {
		g.add(i%2, 0, fmt.Sprintf("a:1|c|#id:%d", i), fmt.Sprintf("b:1:2|d|#id:%d", i))
	}
	found := g.flush()
	count, observed := totals(found)
	assert.Equal(t, int64(1000), count)
	assert.Equal(t, uint64(2000), observed)
	assert.Len(t, found, 10+2)
	assert.Equal(t, uint64(3000-5-2*5), g.stats.Overflowed)
	must(t, found, "a|counter|overflow")
	must(t, found, "b|distribution|overflow")
}

func TestOverflowOfNamesIsBounded(t *testing.T) {
	o := testOptions()
	o.MaxSeries = 1
	g := newGroup(o)
	const names = maxOverflowMetrics + 501
	for i := range names {
		g.add(0, 0, fmt.Sprintf("name%d:1|c", i))
	}
	found := g.flush()
	assert.Len(t, found, 1+maxOverflowMetrics+1)
	assert.Equal(t, int64(500), whole(must(t, found, OverflowKey+"|counter|overflow")))
	assert.Equal(t, 1+maxOverflowMetrics+1, g.Len())
}
