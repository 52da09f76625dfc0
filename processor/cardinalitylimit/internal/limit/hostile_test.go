package limit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// one offers a point.
func one(s *Set, resource string, attrs pcommon.Map) Action {
	return oneOf(s, headers{}, resource, attrs)
}

// oneOf offers a point of a client.
func oneOf(s *Set, md Metadata, resource string, attrs pcommon.Map) Action {
	c := s.Begin(md)
	defer c.End()
	r, m := pcommon.NewResource(), pmetric.NewMetric()
	r.Attributes().PutStr("r", resource)
	m.SetName("m")
	c.Resource(r)
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(m)
	return c.Decide(attrs, false).Action
}

// The cost of a point with very many new labels is proportional to their number: beyond max_keys, where they share a tracker,
// below it, where each has one, with overrides by a label, and under a key with a long text. The text of the key and its
// override are the parts that cost more than a label, so they are computed once, not once per label. Each computation reads the
// metadata, which counts. BenchmarkManyLabels measures the time per label.
func TestManyLabelsCostTheirNumber(t *testing.T) {
	const labels = 20_000
	few, many := manyLabels(t, labels/10), manyLabels(t, labels)
	for name, edit := range manyLabelsKeys(labels) {
		t.Run(name, func(t *testing.T) {
			cost := func(attrs pcommon.Map) (reads int) {
				s := newSet(t, manyLabelsLimit(t, labels))
				edit(s.limits[0])
				md := countedHeaders{"m": &reads}
				require.Equal(t, Pass, oneOf(s, md, strings.Repeat("r", 100_000), attrs))
				return reads
			}
			one, ten := cost(few), cost(many)
			require.Positive(t, one)
			require.Equal(t, one, ten)
		})
	}
}

func BenchmarkManyLabels(b *testing.B) {
	for _, labels := range []int{20_000, 200_000} {
		attrs := manyLabels(b, labels)
		for name, edit := range manyLabelsKeys(labels) {
			b.Run(fmt.Sprint(name, "/", labels), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					s := newSet(b, manyLabelsLimit(b, labels))
					edit(s.limits[0])
					b.StartTimer()
					oneOf(s, headers{}, strings.Repeat("r", 100_000), attrs)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*labels), "ns/label")
			})
		}
	}
}

// manyLabelsKeys are the kinds of keys in the test and the benchmark.
func manyLabelsKeys(labels int) map[string]func(l *limit) {
	return map[string]func(l *limit){
		"shared":       func(l *limit) { l.trackers.maxKeys = 0 },
		"each its own": func(l *limit) { l.trackers.maxKeys = int64(labels) },
		"shared, overrides": func(l *limit) {
			l.trackers.maxKeys = 0
			l.Overrides = []Override{{Max: 7, Equals: map[Part]string{l.Key[1]: "-"}}}
		},
		"each its own, overrides": func(l *limit) {
			l.trackers.maxKeys = int64(labels)
			l.Overrides = []Override{{Max: 7, Equals: map[Part]string{l.Key[1]: "-"}}}
		},
	}
}

func manyLabelsLimit(t testing.TB, labels int) Spec {
	return Spec{Name: "l", Key: parts(t, "resource.r", "attribute.missing", "metadata.m"), MaxValues: labels, Action: Drop}
}

// countedHeaders counts the reads of each name. It has no values.
type countedHeaders map[string]*int

func (h countedHeaders) Get(name string) []string {
	*h[name]++
	return nil
}

func manyLabels(t testing.TB, n int) pcommon.Map {
	attrs, raw := pcommon.NewMap(), make(map[string]any, n)
	for i := range n {
		raw[fmt.Sprint("label", i)] = "x"
	}
	require.NoError(t, attrs.FromRaw(raw))
	return attrs
}

// A stripped series never equals one that passed, nor another stripped one, for any mark of a sender. A mark with another value
// is replaced. A series whose only attribute is the mark is a stripped series.
func TestMarkOfSenders(t *testing.T) {
	s := newSet(t, Spec{Name: "label", Key: parts(t, "metric.name"), MaxValues: 1, Action: Strip})
	target := func(edit func(pcommon.Map)) (Action, uint64) {
		c := s.Begin(headers{})
		defer c.End()
		attrs := pcommon.NewMap()
		edit(attrs)
		c.Resource(pcommon.NewResource())
		c.Scope(pcommon.NewInstrumentationScope())
		c.Metric(pmetric.NewMetric())
		out := c.Decide(attrs, false)
		if out.Action != Strip {
			return out.Action, 0
		}
		return out.Action, out.Target
	}
	a, _ := target(func(m pcommon.Map) { m.PutStr("id", "1") })
	require.Equal(t, Pass, a)
	a, all := target(func(m pcommon.Map) { m.PutStr("id", "2") })
	require.Equal(t, Strip, a)
	for name, edit := range map[string]func(pcommon.Map){
		"alone":          func(m pcommon.Map) { m.PutBool(Mark, true) },
		"alone, as text": func(m pcommon.Map) { m.PutStr(Mark, "true") },
		"beside a label": func(m pcommon.Map) { m.PutBool(Mark, true); m.PutStr("id", "3") },
		"text":           func(m pcommon.Map) { m.PutStr(Mark, "true"); m.PutStr("id", "3") },
		"false":          func(m pcommon.Map) { m.PutStr("id", "3"); m.PutBool(Mark, false) },
	} {
		a, id := target(edit)
		require.Equal(t, Strip, a, name)
		require.Equal(t, all, id, name)
	}
}

// The folded series of another gateway joins our overflow series, even if its mark came through Prometheus, which has only
// texts.
func TestMarkOfAnotherGateway(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Overflow})
	decide := func(edit func(pcommon.Map)) Decision {
		c := s.Begin(headers{})
		defer c.End()
		attrs := pcommon.NewMap()
		edit(attrs)
		c.Resource(pcommon.NewResource())
		c.Scope(pcommon.NewInstrumentationScope())
		c.Metric(pmetric.NewMetric())
		return c.Decide(attrs, false)
	}
	flag := decide(func(m pcommon.Map) { m.PutBool(Mark, true) })
	text := decide(func(m pcommon.Map) { m.PutStr(Mark, "true") })
	require.Equal(t, Overflow, flag.Action)
	require.Equal(t, flag, text)
	require.Equal(t, Pass, decide(func(m pcommon.Map) { m.PutStr(Mark, "yes") }).Action, "somebody's own label")
}

// A limit that tags lets every point pass, including stale points of series without a place, because the series has passed
// before.
func TestTagNeverDrops(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 1, Action: Tag})
	stale := func(id string) Decision {
		c := s.Begin(headers{})
		defer c.End()
		attrs := pcommon.NewMap()
		attrs.PutStr("id", id)
		c.Resource(pcommon.NewResource())
		c.Scope(pcommon.NewInstrumentationScope())
		c.Metric(pmetric.NewMetric())
		return c.Decide(attrs, true)
	}
	require.Equal(t, Pass, stale("1").Action)
	require.Equal(t, Pass, decide(s, nil, "", "", "", "id", "1").Action)
	require.Equal(t, Pass, stale("1").Action)
	require.Equal(t, Tag, stale("2").Action)
}

// An empty header counts as missing.
func TestEmptyHeaderIsMissing(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metadata.m"), MaxSeries: 1, Action: Drop})
	require.Equal(t, Pass, decide(s, headers{}, "", "", "", "id", "1").Action)
	require.Equal(t, Drop, decide(s, headers{"m": {""}}, "", "", "", "id", "2").Action)
	require.Equal(t, Drop, decide(s, headers{"m": {}}, "", "", "", "id", "2").Action)
	require.Equal(t, Pass, decide(s, headers{"m": {"", ""}}, "", "", "", "id", "2").Action)
}

// The memory of a point with very many labels is not kept for later batches, which would have to clear it.
func TestLargeCursorsAreNotKept(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxValues: 10, Action: Drop})
	one(s, "r", manyLabels(t, 10*maxPooled))
	c := s.Begin(headers{})
	defer c.End()
	require.LessOrEqual(t, cap(c.pairs), maxPooled)
	require.LessOrEqual(t, cap(c.verdicts), maxPooled)
	require.LessOrEqual(t, cap(c.states[0].labels), maxPooled)
}
