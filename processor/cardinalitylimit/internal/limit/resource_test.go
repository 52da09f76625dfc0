package limit

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// pod moves a cursor to a resource, and to a metric of it.
func pod(c *Cursor, name, metric string) {
	r, m := pcommon.NewResource(), pmetric.NewMetric()
	r.Attributes().PutStr("service", "s")
	r.Attributes().PutStr("pod", name)
	m.SetName(metric)
	c.Resource(r)
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(m)
}

// otherMetric moves a cursor to another metric of its resource.
func otherMetric(c *Cursor, name string) {
	m := pmetric.NewMetric()
	m.SetName(name)
	c.Metric(m)
}

func remainingResourceOf(c *Cursor) map[string]any {
	to := pcommon.NewMap()
	c.RemainingResource(to, "gateway")
	return to.AsRaw()
}

// podValues limits the pods of a metric to one.
func podValues(t *testing.T) Spec {
	return Spec{
		Name: "pods", Key: parts(t, "metric.name"), MaxValues: 1, Action: Strip,
		ResourceValues: Names{regexp.MustCompile("^(?:pod)$")},
	}
}

// The removal of a resource's attribute from one point does not affect the next point of the resource.
func TestResourceAfterAStrippedPoint(t *testing.T) {
	s := newSet(t, podValues(t))
	c := s.Begin(headers{})
	defer c.End()
	attrs := pcommon.NewMap()
	pod(c, "1", "m")
	require.Equal(t, Pass, c.Decide(attrs, false).Action)
	pod(c, "2", "m")
	require.Equal(t, Strip, c.Decide(attrs, false).Action)
	require.Equal(t, map[string]any{"service": "s", "service.instance.id": "gateway"}, remainingResourceOf(c))
	otherMetric(c, "n")
	require.Equal(t, Pass, c.Decide(attrs, false).Action)
	require.Equal(t, map[string]any{"service": "s", "pod": "2"}, remainingResourceOf(c))
	require.EqualValues(t, 2, s.Sweep()[0].Series, "one place under each metric")
	pod(c, "1", "m")
	require.Equal(t, Pass, c.Decide(attrs, false).Action)
	require.Equal(t, map[string]any{"service": "s", "pod": "1"}, remainingResourceOf(c))
}

// A limit on values does not count an attribute of the resource that a rule has removed before.
func TestRemovedResourceAttributesDoNotCount(t *testing.T) {
	o := newSet(t).options
	o.Rules = []Rule{{
		Match:          Match{Metrics: Names{regexp.MustCompile("^(?:m)$")}},
		ResourceLabels: Selection{Names: Names{regexp.MustCompile("^(?:pod)$")}},
		MaxStreams:     100,
	}}
	s, err := NewSet([]Spec{podValues(t)}, o)
	require.NoError(t, err)
	c := s.Begin(headers{})
	defer c.End()
	for _, name := range []string{"1", "2", "3"} {
		pod(c, name, "m")
		require.Equal(t, Pass, c.Decide(pcommon.NewMap(), false).Action)
		require.Equal(t, map[string]any{"service": "s", "service.instance.id": "gateway"}, remainingResourceOf(c))
	}
	require.Zero(t, s.Sweep()[1].Series)
	pod(c, "1", "other")
	require.Equal(t, Pass, c.Decide(pcommon.NewMap(), false).Action)
	pod(c, "2", "other")
	require.Equal(t, Strip, c.Decide(pcommon.NewMap(), false).Action)
}

// Instances that become one by a rule have one series. An exempt metric is not subject to rules.
func TestInstancesThatBecomeOne(t *testing.T) {
	o := newSet(t).options
	o.Exempt = Names{regexp.MustCompile("^(?:up)$")}
	o.Rules = []Rule{{ResourceLabels: Selection{Names: Names{regexp.MustCompile("^(?:pod)$")}}, MaxStreams: 100}}
	s, err := NewSet(nil, o)
	require.NoError(t, err)
	decide := func(instance, metric string) Decision {
		c := s.Begin(headers{})
		defer c.End()
		r, m := pcommon.NewResource(), pmetric.NewMetric()
		r.Attributes().PutStr("pod", instance)
		r.Attributes().PutStr(instanceID, instance)
		m.SetName(metric)
		c.Resource(r)
		c.Scope(pcommon.NewInstrumentationScope())
		c.Metric(m)
		return c.Decide(pcommon.NewMap(), false)
	}
	one, two := decide("1", "m"), decide("2", "m")
	require.NotEqual(t, one.Stream, two.Stream)
	require.Zero(t, one.Rule)
	require.NotZero(t, one.Target)
	require.Equal(t, one.Target, two.Target)
	require.Equal(t, -1, decide("1", "up").Rule)
}

// The overflow series of a key does not depend on the order of the key's parts. It has the resource parts of the key, except
// service.instance.id.
func TestOverflowSeriesOfAKey(t *testing.T) {
	var targets []Decision
	for _, key := range [][]string{
		{"resource.service", "resource.pod", "metric.name", "resource.service.instance.id"},
		{"resource.service.instance.id", "metric.name", "resource.pod", "resource.service"},
	} {
		s := newSet(t, Spec{Name: "l", Key: parts(t, key...), MaxSeries: 1, Action: Overflow})
		c := s.Begin(headers{})
		for i, want := range []Action{Pass, Overflow} {
			r, m, attrs := pcommon.NewResource(), pmetric.NewMetric(), pcommon.NewMap()
			r.Attributes().PutStr("service", "s")
			r.Attributes().PutStr("pod", "p")
			r.Attributes().PutStr(instanceID, "i")
			m.SetName("m")
			attrs.PutInt("id", int64(i))
			c.Resource(r)
			c.Scope(pcommon.NewInstrumentationScope())
			c.Metric(m)
			d := c.Decide(attrs, false)
			require.Equal(t, want, d.Action)
			if want == Overflow {
				targets = append(targets, d)
				to := pcommon.NewMap()
				c.TargetResource(0, to)
				require.Equal(t, map[string]any{"service": "s", "pod": "p"}, to.AsRaw())
			}
		}
		c.End()
	}
	require.NotZero(t, targets[0].Target)
	require.Equal(t, targets[0], targets[1])
}

// The overflow series of keys with different parts differ, even if the values are equal.
func TestOverflowSeriesOfDifferentParts(t *testing.T) {
	targets := make(map[uint64]bool)
	for _, part := range []string{"resource.service", "resource.pod", "metadata.tenant"} {
		s := newSet(t, Spec{Name: "l", Key: parts(t, part, "metric.name"), MaxSeries: 1, Action: Overflow})
		c := s.Begin(headers{"tenant": {"s"}})
		pod(c, "s", "m")
		for i := range 2 {
			attrs := pcommon.NewMap()
			attrs.PutInt("id", int64(i))
			if d := c.Decide(attrs, false); d.Action == Overflow {
				targets[d.Target] = true
			}
		}
		c.End()
	}
	require.Len(t, targets, 3)
}

// A folded series leaves with the client metadata of its key, if the request has it. Missing metadata is reported.
func TestMetadataOfAKey(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metadata.a", "metadata.b"), MaxSeries: 1, Action: Drop})
	require.Nil(t, s.MissingMetadata(), "no request has come")
	for _, md := range []headers{{}, {"a": {"1"}}, {"a": {""}}} {
		c := s.Begin(md)
		want := map[string][]string{"a": {"1"}}
		if len(md["a"]) == 0 || md["a"][0] == "" {
			want = nil
		}
		require.Equal(t, want, c.TargetMetadata(0))
		c.End()
	}
	require.Equal(t, []string{"b"}, s.MissingMetadata())
	s.Begin(headers{"b": {"2"}}).End()
	require.Nil(t, s.MissingMetadata())
}
