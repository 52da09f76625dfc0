package report

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

func TestResidual(t *testing.T) {
	w := newWorld(t)
	limiter := limiterState()
	limiter.Limiter.Points = gatewaystate.LimiterPoints{Passed: 700, Overflowed: 200, Emitted: 10}
	set := func(accepted float64) {
		w.accepted("metricsudp", accepted-100)
		w.accepted("otlp", 100)
		w.processed("bucketing", accepted, accepted)
		w.processed("cardinalitylimit", accepted, accepted-200)
	}
	set(900)
	items := gatewaystate.LogItems{Received: 710, DeliveredDirect: 600, DeliveredReplayed: 100, DeadLettered: 4, Dropped: 6}
	r := w.observeFor(20*time.Second, limiter, logState(items, 0))
	route := r.Routes[0]
	require.Equal(t, "metrics", route.Signal)
	require.EqualValues(t, 900, route.In.Items)
	require.EqualValues(t, 190, route.Removed.Items)
	require.EqualValues(t, 700, route.Sent.Items)
	require.EqualValues(t, 0, *route.Residual)
	require.EqualValues(t, 0, *r.Residual)

	// What is in flight for a moment is no residual.
	set(950)
	require.EqualValues(t, 0, *w.observe(limiter, logState(items, 0)).Residual)
	// What does not arrive is.
	r = w.observeFor(20*time.Second, limiter, logState(items, 0))
	require.EqualValues(t, 50, *r.Residual)
	require.Contains(t, r.Verdict.Text, "50 items that nothing accounts for")

	// Points that the log has and that were delivered nowhere are one when the log is empty.
	set(900)
	items.DeliveredReplayed = 70
	r = w.observeFor(20*time.Second, limiter, logState(items, 1000))
	require.EqualValues(t, 30, r.Routes[0].Waiting.Items)
	require.EqualValues(t, 0, *r.Residual)
	r = w.observeFor(20*time.Second, limiter, logState(items, 0))
	require.EqualValues(t, 0, r.Routes[0].Waiting.Items)
	require.EqualValues(t, 30, *r.Residual)
}

// The log of an earlier run has items that were not counted: the residual is known when it has been empty.
func TestResidualAfterAnEarlierRun(t *testing.T) {
	w := newWorld(t)
	w.observer.SetPipelines(Pipelines{All: []Pipeline{{Signal: "metrics", Receivers: []string{"otlp"}, Exporters: []string{"fallbacklog"}}}})
	found := func(items gatewaystate.LogItems, unread int64) gatewaystate.State {
		return logState(items, unread, func(l *gatewaystate.Log) { l.Signals[0].FoundBytes = 5000 })
	}
	w.accepted("otlp", 100)
	r := w.observe(found(gatewaystate.LogItems{Received: 100, DeliveredDirect: 60, DeliveredReplayed: 300}, 3000))
	require.Nil(t, r.Routes[0].Residual)
	require.Contains(t, r.Routes[0].Unknown, "earlier run")
	r = w.observeFor(20*time.Second, found(gatewaystate.LogItems{Received: 100, DeliveredDirect: 60, DeliveredReplayed: 540}, 0))
	require.EqualValues(t, 0, *r.Routes[0].Residual)
	w.accepted("otlp", 110)
	r = w.observeFor(20*time.Second, found(gatewaystate.LogItems{Received: 110, DeliveredDirect: 67, DeliveredReplayed: 540}, 0))
	require.EqualValues(t, 3, *r.Routes[0].Residual)
}

func TestResidualsThatCannotBeKnown(t *testing.T) {
	log := logState(gatewaystate.LogItems{Received: 10, DeliveredDirect: 10}, 0)
	for want, p := range map[string]Pipelines{
		"begins at connector span_metrics": {
			All:        []Pipeline{{Signal: "metrics", Receivers: []string{"span_metrics"}, Exporters: []string{"fallbacklog"}}},
			Connectors: map[string]bool{"span_metrics": true},
		},
		"begins at connector count/all": {
			All: []Pipeline{
				{Signal: "metrics", Receivers: []string{"forward"}, Exporters: []string{"fallbacklog"}},
				{Signal: "metrics", Receivers: []string{"otlp", "count/all"}, Exporters: []string{"forward"}},
			},
			Connectors: map[string]bool{"forward": true, "count/all": true},
		},
		"processor filter is in several pipelines": {All: []Pipeline{
			{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"filter"}, Exporters: []string{"fallbacklog"}},
			{Signal: "metrics", Receivers: []string{"metricsudp"}, Processors: []string{"filter"}, Exporters: []string{"nop"}},
		}},
		"processor interval does not count": {All: []Pipeline{
			{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"interval"}, Exporters: []string{"fallbacklog"}},
		}},
		"processor interval/page does not count": {
			All: []Pipeline{
				{Signal: "metrics", Receivers: []string{"forward"}, Processors: []string{"interval/page"}, Exporters: []string{"fallbacklog"}},
				{Signal: "metrics", Receivers: []string{"otlp"}, Exporters: []string{"forward"}},
			},
			Connectors: map[string]bool{"forward": true},
		},
		"processor delta_to_cumulative/a is not the only one": {All: []Pipeline{
			{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"delta_to_cumulative/a"}, Exporters: []string{"fallbacklog"}},
			{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"deltatocumulative/b"}, Exporters: []string{"nop"}},
		}},
		"exporter nop does not count": {All: []Pipeline{{Signal: "metrics", Receivers: []string{"otlp"}, Exporters: []string{"nop"}}}},
	} {
		w := newWorld(t)
		w.observer.SetPipelines(p)
		w.accepted("otlp", 10)
		r := w.observe(log)
		require.Nil(t, r.Routes[0].Residual)
		require.Contains(t, r.Routes[0].Unknown, want)
		require.Contains(t, strings.Join(r.Verdict.Unknown, "\n"), want)
	}
}
