package series

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// The effect of +1 and -1 on a gauge, over several intervals and readers.
func TestSignedGauges(t *testing.T) {
	intervals := [][]string{
		{"t:-5|g"}, {"t:-5|g"}, {"t:10|g", "t:-3|g", "t:+1|g"}, {"t:+2|g"}, {}, {"t:-1|g"},
	}
	for _, tt := range []struct {
		signed SignedGauges
		want   []float64 // after each interval
	}{
		{SignedIsChange, []float64{-5, -10, 8, 10, 10, 9}},
		{SignedIsIntervalChange, []float64{-5, -5, 8, 2, 2, -1}},
		{SignedIsAbsolute, []float64{-5, -5, 1, 2, 2, -1}},
	} {
		o := testOptions()
		o.SignedGauges = tt.signed
		g := newGroup(o)
		var s *Series
		for i, lines := range intervals {
			g.add(0, int64(i), lines...)
			if found := g.flush(); len(lines) > 0 {
				s = must(t, found, "t|gauge")
			}
			assert.InDelta(t, tt.want[i], s.value.(*LastValue).Gauge, 0, "rule %d, interval %d", tt.signed, i)
		}
	}
}

// A second call of FinishMerge, as for a pending series, changes nothing.
func TestSignedGaugesSettleOnce(t *testing.T) {
	for _, signed := range []SignedGauges{SignedIsChange, SignedIsIntervalChange, SignedIsAbsolute} {
		o := testOptions()
		o.SignedGauges = signed
		g := newGroup(o)
		g.add(0, 0, "t:-5|g")
		s := must(t, g.flush(), "t|gauge")
		s.FinishMerge()
		assert.InDelta(t, -5, s.value.(*LastValue).Gauge, 0)
	}
}

// Names that match accept negative increments, and are sums that are not monotonic.
func TestNonMonotonicNames(t *testing.T) {
	o := testOptions()
	o.NonMonotonic = []*regexp.Regexp{regexp.MustCompile(`^(?:sessions\..*)$`), regexp.MustCompile(`^(?:queue)$`)}
	g := newGroup(o)
	for range 2 { // the second time the lines are known
		g.add(0, 0, "sessions.open:+3|c", "sessions.open:-1|c", "queue:-2|c|@0.5", "hits:1|c", "hits:-1|c", "hits:5:-1|c", "queues:-1|c")
	}
	found := g.flush()
	assert.Len(t, found, 3)
	assert.Equal(t, int64(4), whole(must(t, found, "sessions.open|counter")))
	assert.Equal(t, int64(-8), whole(must(t, found, "queue|counter")))
	assert.Equal(t, int64(2), whole(must(t, found, "hits|counter")))
	assert.False(t, must(t, found, "queue|counter").Metric.Monotonic)
	assert.True(t, must(t, found, "hits|counter").Metric.Monotonic)
	assert.Equal(t, uint64(6), g.stats.Rejected[line.NegativeCounter])
	assert.Equal(t, 3, g.Len(), "a refused line makes no series")
}

// The overflow counter that further names share accepts increments of either sign.
func TestOverflowOfNonMonotonicNames(t *testing.T) {
	o := testOptions()
	o.MaxSeries = 1
	o.NonMonotonic = []*regexp.Regexp{regexp.MustCompile(`^(?:down)$`)}
	assert.False(t, o.isMonotonic([]byte(OverflowKey)))
	g := newGroup(o)
	g.add(0, 0, "up:1|c", "down:-1|c")
	assert.Equal(t, int64(-1), whole(must(t, g.flush(), "down|counter|overflow")))
	assert.True(t, (&Options{Monotonic: true}).isMonotonic([]byte(OverflowKey)))
}

// Only the type ms is divided, for any aggregation.
func TestTimerSeconds(t *testing.T) {
	for _, aggregation := range []Aggregation{Distribution, Summary, Each} {
		o := testOptions()
		o.TimerSeconds = true
		o.Observers[line.Timer] = Observer{Aggregation: aggregation, Percentiles: []float64{100}}
		g := newGroup(o)
		g.add(0, 0, "a:1500:250|ms", "b:1500|h", "c:1500|d")
		if aggregation == Each {
			var values []float64
			for _, p := range g.tables[0].active.Timed {
				values = append(values, p.Real)
			}
			assert.Equal(t, []float64{1.5, 0.25}, values)
		}
		found := g.flush()
		switch v := must(t, found, "a|timer").value.(type) {
		case *DistributionValue:
			assert.InDelta(t, 1.75, v.Histogram().Sum, 0)
			assert.InDelta(t, 1.5, v.Histogram().Max, 0)
		case *SummaryValue:
			_, sum := v.Totals()
			assert.InDelta(t, 1.75, sum, 0)
		}
		assert.InDelta(t, 1500, must(t, found, "b|histogram").value.(*DistributionValue).Histogram().Sum, 0)
		assert.InDelta(t, 1500, must(t, found, "c|distribution").value.(*DistributionValue).Histogram().Sum, 0)
	}
}

func TestCleanedNames(t *testing.T) {
	for _, tt := range []struct{ name, etsy, prometheus string }{
		{"a.b-c_d", "a.b-c_d", "a_b_c_d"},
		{"page views", "page_views", "page_views"},
		{"a \t b", "a_b", "a_b"},
		{"/api/v1/user", "-api-v1-user", "api_v1_user"},
		{"a(b)!c", "abc", "a_b_c"},
		{"a..b", "a..b", "a_b"},
		{"__a__", "__a__", "a"},
		{"4xx", "4xx", "_4xx"},
		{"_4xx", "_4xx", "_4xx"},
		{"größe", "gre", "gr_e"},
		{" a ", "_a_", "a"},
		{"A9", "A9", "A9"},
		{"!!!", "", ""},
	} {
		assert.Equal(t, tt.name, string(CleanNothing.appendName(nil, []byte(tt.name))))
		assert.Equal(t, "x"+tt.etsy, string(CleanEtsy.appendName([]byte("x"), []byte(tt.name))), tt.name)
		assert.Equal(t, "x"+tt.prometheus, string(CleanPrometheus.appendName([]byte("x"), []byte(tt.name))), tt.name)
	}
}

func TestCleanedKeys(t *testing.T) {
	for key, want := range map[string]string{
		"http.status": "http_status", "a__b": "a_b", "_a": "key_a", "-a": "key_a", "0": "key_0", "%": "key_", "__name__": "key_name_", "è": "key_", "ok": "ok",
	} {
		assert.Equal(t, "x"+want, string(CleanPrometheus.appendKey([]byte("x"), []byte(key))), key)
		assert.Equal(t, key, string(CleanEtsy.appendKey(nil, []byte(key))))
	}
}

// Names and keys that become equal are one series, each line is counted, and a line without a name after cleaning is refused.
func TestCleaningMergesSeries(t *testing.T) {
	o := testOptions()
	o.Cleaning = CleanPrometheus
	o.NonMonotonic = []*regexp.Regexp{regexp.MustCompile("^a_b$")}
	g := newGroup(o)
	for range 2 { // the second time the lines are known
		g.add(0, 0, "a.b:1|c|#k.x:1,k_x:2", "a_b:-5|c|#k_x:2", "a/b:1|c|#k-x:2", "...:1|c", "clean:1|c|#k:v.w")
	}
	stats := g.tables[0].active.Stats
	found := g.flush()
	assert.Len(t, found, 2)
	assert.Equal(t, int64(-6), whole(must(t, found, "a_b|counter|k_x=2")))
	must(t, found, "clean|counter|k=v.w")
	assert.Equal(t, uint64(4), stats.CleanedLines)
	assert.Equal(t, uint64(2), stats.DuplicateTags)
	assert.Equal(t, uint64(2), stats.Rejected[line.NoName])

	o.Cleaning, o.NonMonotonic = CleanEtsy, nil
	g = newGroup(o)
	g.add(0, 0, "page views:1|c|#k.x:1", "page_views:1|c|#k.x:1")
	assert.Equal(t, int64(2), whole(must(t, g.flush(), "page_views|counter|k.x=1")))
}

// Blanks around name, value and type are removed. Blanks within a name remain.
func TestBlanks(t *testing.T) {
	g := newGroup(testOptions())
	for range 2 {
		g.add(0, 0, "  a b\t: 1 |c", "a b:1 : 2| c |#k:v", "a b:1|c\v", "   :1|c", "u: x |s", "u:x|s")
	}
	found := g.flush()
	assert.Equal(t, int64(4), whole(must(t, found, "a b|counter")))
	assert.Equal(t, int64(6), whole(must(t, found, "a b|counter|k=v")))
	assert.Equal(t, int64(2), must(t, found, "u|set").value.(*UniqueValue).Members())
	assert.Equal(t, uint64(2), g.stats.Rejected[line.NoName])
}

// Some PHP clients write a # before each tag.
func TestTagsWithHash(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "a:1|c|##x:1,#y:2", "a:1|c|#x:1,y:2", "a:1|c|##", "a:1|c|##,#", "a:1|c|##:v")
	found := g.flush()
	assert.Equal(t, int64(2), whole(must(t, found, "a|counter|x=1|y=2")))
	assert.Equal(t, int64(2), whole(must(t, found, "a|counter")), "empty tags are skipped")
	assert.Equal(t, uint64(1), g.stats.Rejected[line.BadTag], "a key is left out")
}

// The tags with which Datadog clients describe their pod do not become attributes. Otherwise each restart would add series.
func TestOriginTags(t *testing.T) {
	lines := []string{
		"a:1|c|#x:1,dd.internal.entity_id:pod-1", "a:1|c|#dd.internal.entity_id:pod-2,x:1,dd.internal.card:low", "a:1|c|#x:1",
		"a:1|c|#x:1,dd.internal.entity_id:none|c:ci-0123456789ab", "a:1|c|#x:1,dd.internal.entity_id", "a:1|c|#x:1,dd.internal.other:y",
		"a:1|c|#x:1,dd.internal.entity_id:pod-1|e:it-false,cn-web,pu-pod-9",
	}
	g := newGroup(testOptions())
	g.add(0, 0, lines...)
	found := g.flush()
	assert.Len(t, found, 2)
	assert.Equal(t, int64(6), whole(must(t, found, "a|counter|x=1")))
	must(t, found, "a|counter|dd.internal.other=y|x=1")
	assert.Zero(t, g.stats.DuplicateTags)

	g = newGroup(originOptions())
	for range 2 { // the second time the lines are known
		g.add(0, 0, lines...)
	}
	found = g.flush()
	assert.Len(t, found, 5)
	assert.Equal(t, int64(2), whole(must(t, found, "a|counter|x=1|from k8s.pod.uid=pod-1")))
	assert.Equal(t, int64(2), whole(must(t, found, "a|counter|x=1|from k8s.pod.uid=pod-2")))
	assert.Equal(t, int64(2), whole(must(t, found, "a|counter|x=1|from k8s.container.name=web|from k8s.pod.uid=pod-1")))
	assert.Equal(t, int64(6), whole(must(t, found, "a|counter|x=1")))
}

// A pod UID with characters that no runtime uses becomes neither an origin nor an attribute.
func TestOriginTagsThatAreNone(t *testing.T) {
	g := newGroup(originOptions())
	long := make([]byte, maxOriginField+1)
	for i := range long {
		long[i] = 'x'
	}
	g.add(0, 0, "a:1|c|#dd.internal.entity_id:a b", "a:1|c|#dd.internal.entity_id:"+string(long), "a:1|c|#dd.internal.entity_id:é", "a:1|c")
	found := g.flush()
	require.Len(t, found, 1)
	assert.Equal(t, int64(4), whole(must(t, found, "a|counter")))
}
