package series

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// The kind becomes the attribute metric_type, even if the sender has a tag of that name.
func TestMetricType(t *testing.T) {
	o := testOptions()
	o.MetricType, o.MaxTags = true, 2
	g := newGroup(o)
	g.add(0, 0,
		"a:1|c", "a:1|c|#metric_type:gauge", "a:1|c|#metric_type,metric_type:x", "a:1|c|#a:1,b:2,metric_type:x",
		"b:1|g|#z:1,a:2", "c:1|ms", "d:1|h", "e:1|d", "f:x|s",
	)
	found := g.flush()
	assert.Equal(t, int64(3), whole(must(t, found, "a|counter|metric_type=counter")))
	must(t, found, "b|gauge|a=2|metric_type=gauge|z=1")
	must(t, found, "c|timer|metric_type=timing")
	must(t, found, "d|histogram|metric_type=histogram")
	must(t, found, "e|distribution|metric_type=distribution")
	must(t, found, "f|set|metric_type=set")
	assert.Equal(t, uint64(1), g.stats.Rejected[line.TooManyTags], "of the sender's tags")
	assert.Equal(t, uint64(3), g.stats.DuplicateTags)
}

// A tag whose cleaned key is metric_type is replaced as well.
func TestMetricTypeOfACleanedKey(t *testing.T) {
	o := testOptions()
	o.MetricType, o.Cleaning = true, CleanPrometheus
	g := newGroup(o)
	g.add(0, 0, "a:1|c|#metric.type:zzz", "a:1|c|#metric-type:b,metric_type:y", "a:1|c")
	assert.Equal(t, int64(3), whole(must(t, g.flush(), "a|counter|metric_type=counter")))
	assert.Equal(t, uint64(3), g.stats.DuplicateTags)
}

func TestSimpleTags(t *testing.T) {
	for _, simple := range []bool{true, false} {
		o := testOptions()
		o.SimpleTags = simple
		g := newGroup(o)
		g.add(0, 0, "a:1|c|#x", "a:1|c|#x:", "a:1|c|#y:1,,", "a:1|c|#y:1,x")
		found := g.flush()
		assert.Equal(t, int64(1), whole(must(t, found, "a|counter|y=1")))
		if simple {
			assert.Equal(t, int64(2), whole(must(t, found, "a|counter|x=")))
			assert.Equal(t, int64(1), whole(must(t, found, "a|counter|x=|y=1")))
			continue
		}
		assert.Len(t, found, 1)
		assert.Equal(t, uint64(3), g.stats.Rejected[line.BadTag])
	}
}
