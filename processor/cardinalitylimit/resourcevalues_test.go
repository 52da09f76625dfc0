package cardinalitylimit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// valuesOf is a limit on the values of labels.
func valuesOf(most int, action string, labels ...string) LimitConfig {
	l := limitOf(0, action, "metric.name")
	l.Name, l.MaxValues, l.Labels = "values", most, labels
	return l
}

// pods is an export of ten pods, each with a cumulative counter of two routes.
func pods(r *rig, value int64) pmetric.Metrics {
	start := harness.NewClock().Now().Add(-time.Minute)
	md := pmetric.NewMetrics()
	for pod := range 10 {
		b := newBatch("orders", "k8s.pod.uid", fmt.Sprint("uid-", pod), "service.instance.id", fmt.Sprint("pod-", pod), "region", "eu")
		points := b.sum("requests", cumulative, true)
		for route := range 2 {
			put(points, value, start, r.clock.Now(), "route", fmt.Sprint(route))
		}
		b.md.ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
	}
	return md
}

// An attribute of resources has too many values. It is removed from the resources over the limit, and the remaining series add
// up.
func TestStripOfAResourceAttribute(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Limits = []LimitConfig{valuesOf(3, "strip", `resource.k8s\.pod\.uid`)}
		c.Reaggregate.FirstValue = "start"
	})
	r.send(pods(r, 0)) // baselines
	r.sink.drain()
	for value := int64(1); value <= 3; value++ {
		r.clock.Add(time.Minute)
		r.send(pods(r, value*10))
	}
	passed := observe(r.sink.drain()...)
	uids := make(map[any]bool)
	for _, o := range passed {
		uids[o.resource["k8s.pod.uid"]] = true
		require.NotContains(t, o.attributes, "otel.metric.overflow")
	}
	require.Len(t, uids, 3)
	folded := r.flushed()
	require.Len(t, folded, 2, "one for each route")
	for _, o := range folded {
		require.Equal(t, map[string]any{
			"service.name": "orders", "region": "eu", "service.instance.id": "gateway/cardinalitylimit",
		}, o.resource)
		require.Equal(t, true, o.attributes["otel.metric.overflow"])
		require.Contains(t, o.attributes, "route")
		require.EqualValues(t, 7*30, o.value)
	}
	require.EqualValues(t, 3, r.counter("series", "limit", "values"))
}

// The other actions work as well, and so do labels of points together with those of resources.
func TestValuesOfResourceAttributes(t *testing.T) {
	for action, want := range map[string][2]int{"drop": {6, 0}, "overflow": {6, 1}, "tag": {20, 0}} {
		r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{valuesOf(3, action, "resource.k8s.*")} })
		r.send(pods(r, 5))
		require.Len(t, observe(r.sink.drain()...), want[0], action)
		require.Len(t, r.flushed(), want[1], action)
	}
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{valuesOf(1, "drop", "resource.region", "route")} })
	r.send(pods(r, 5))
	require.Len(t, observe(r.sink.drain()...), 10, "one region and one route")
	r = newRig(t, func(c *Config) { c.Limits = []LimitConfig{valuesOf(1, "drop", "resource.region")} })
	r.send(pods(r, 5))
	require.Len(t, observe(r.sink.drain()...), 20, "labels of points are not counted")
	r = newRig(t, func(c *Config) { c.Limits = []LimitConfig{valuesOf(2, "drop")} })
	r.send(pods(r, 5))
	require.Len(t, observe(r.sink.drain()...), 20, "without labels, attributes of resources are not counted")
}

// A later limit on streams sees the remaining resource.
func TestStreamsAfterAStrippedResourceAttribute(t *testing.T) {
	r := newRig(t, func(c *Config) {
		streams := limitOf(8, "drop", "metric.name")
		streams.Name, streams.Count = "streams", countStreams
		c.Limits = []LimitConfig{streams, valuesOf(3, "strip", "resource.k8s.pod.uid")}
	})
	r.send(pods(r, 5))
	require.Len(t, observe(r.sink.drain()...), 6, "3 pods of 2 routes")
	require.Len(t, r.flushed(), 2)
	require.EqualValues(t, 8, r.counter("series", "limit", "streams"), "and 2 stripped ones")
}

// The report names the attribute.
func TestOffendingResourceAttribute(t *testing.T) {
	r, logs := watched(t, func(c *Config) {
		c.Limits = []LimitConfig{valuesOf(3, "strip", "resource.k8s.pod.uid")}
		c.TopOffenders.LogExamples = true
	})
	r.send(pods(r, 5))
	r.maintain()
	named := offenderRecords(logs)
	require.Len(t, named, 1)
	require.Equal(t, "Metric requests: label resource.k8s.pod.uid has about 10 values, limit 3", named[0].Message)
	examples := named[0].ContextMap()["labels"].([]any)[0].(map[string]any)["examples"].([]any)
	require.Regexp(t, `^uid-\d$`, examples[0])
}

// A rule for labels and a limit on values both remove attributes of a resource.
func TestRuleAndStripOfAResource(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Labels = []LabelsConfig{ruleOf("requests", "resource.region")}
		c.Limits = []LimitConfig{valuesOf(3, "strip", "resource.k8s.pod.uid", "resource.region")}
	})
	r.send(pods(r, 5))
	require.Empty(t, r.sink.drain(), "all points fold")
	folded := r.flushed()
	require.Len(t, folded, 6+2)
	for _, o := range folded {
		require.NotContains(t, o.resource, "region")
		_, marked := o.attributes["otel.metric.overflow"]
		_, uid := o.resource["k8s.pod.uid"]
		require.NotEqual(t, marked, uid)
	}
}
