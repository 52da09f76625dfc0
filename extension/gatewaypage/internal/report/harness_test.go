package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/selfmetrics"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

var begin = time.Date(2026, 1, 2, 2, 51, 0, 0, time.UTC)

// world is a gateway whose state a test sets, one second after the other.
type world struct {
	observer *Observer
	now      time.Time
	reading  Reading
}

var shipped = Pipelines{
	All: []Pipeline{
		{Signal: "metrics", Receivers: []string{"metricsudp", "otlp"}, Processors: []string{"memory_limiter", "bucketing", "cardinalitylimit"}, Exporters: []string{"fallbacklog"}},
		{Signal: "traces", Receivers: []string{"otlp"}, Processors: []string{"memory_limiter"}, Exporters: []string{"fallbacklog"}},
	},
	Connectors: map[string]bool{"forward": true},
}

func newWorld(_ testing.TB, change ...func(*Options)) *world {
	w := &world{now: begin}
	o := Options{
		Name: "gateway-0", Version: "1.2.3", ProcessStart: begin, Examples: ExamplesMasked, SelfMetrics: true,
		Now: func() time.Time { return w.now },
	}
	for _, c := range change {
		c(&o)
	}
	w.observer = New(o)
	w.observer.SetPipelines(shipped)
	w.reading.Metrics = selfmetrics.Metrics{}
	return w
}

// count sets one of the gateway's own metrics.
func (w *world) count(family, label, component, signal string, value float64) {
	labels := map[string]string{label: component}
	if signal != "" {
		labels["otel_signal"] = signal
	}
	for i, s := range w.reading.Metrics[family] {
		if fmt.Sprint(s.Labels) == fmt.Sprint(labels) {
			w.reading.Metrics[family][i].Value = value
			return
		}
	}
	w.reading.Metrics[family] = append(w.reading.Metrics[family], selfmetrics.Sample{Labels: labels, Value: value})
}

// accepted sets what a receiver accepted of metrics.
func (w *world) accepted(receiver string, points float64) {
	w.count("otelcol_receiver_accepted_metric_points", "receiver", receiver, "", points)
}

// processed sets what a processor had and passed on.
func (w *world) processed(processor string, in, out float64) {
	w.count("otelcol_processor_incoming_items", "processor", processor, "metrics", in)
	w.count("otelcol_processor_outgoing_items", "processor", processor, "metrics", out)
}

// observe reads the states at the present second, then a second passes.
func (w *world) observe(states ...gatewaystate.State) *Report {
	w.reading.Snapshot = &gatewaystate.Snapshot{At: w.now, States: states}
	r := w.observer.Observe(&w.reading)
	w.now = w.now.Add(time.Second)
	return r
}

// observeFor repeats observe.
func (w *world) observeFor(d time.Duration, states ...gatewaystate.State) (r *Report) {
	for end := w.now.Add(d); w.now.Before(end); {
		r = w.observe(states...)
	}
	return r
}

// logState is a fallbacklog with one signal.
func logState(items gatewaystate.LogItems, unread int64, change ...func(*gatewaystate.Log)) gatewaystate.State {
	l := &gatewaystate.Log{
		Exporter: "otlp_grpc", Breaker: "closed", BreakerSince: begin, OnFull: "reject", Replay: true, CapacityBytes: 1 << 30, UsedBytes: unread,
		Signals: []gatewaystate.LogSignal{{Signal: "metrics", Items: items, UnreadBytes: unread, DiskBytes: unread}},
	}
	for _, c := range change {
		c(l)
	}
	return gatewaystate.State{Component: "fallbacklog", Log: l}
}

func limiterState(offenders ...gatewaystate.Offender) gatewaystate.State {
	return gatewaystate.State{Component: "cardinalitylimit", Limiter: &gatewaystate.Limiter{
		Window: time.Hour, MeasuredAt: begin, Offenders: offenders,
		Limits: []gatewaystate.Limit{{
			Name: "metric", Action: "overflow", Counts: "series", Max: 500, Series: 540, Keys: 3, Near: 1,
			Fullest: "metric.name=order.errors", FullestShare: 1, Refused: 47711,
		}},
		Points: gatewaystate.LimiterPoints{Passed: 500, Overflowed: 400, Emitted: 10},
	}}
}

var exploded = gatewaystate.Offender{
	Limit: "metric", Action: "overflow", Metric: "order.errors", Key: "resource.service.name=orders", Counts: "series",
	Wanted: 48211, Admitted: 500, Max: 500,
	Labels: []gatewaystate.Label{
		{Name: "error", Values: 47000, Examples: []string{"payment 4711 refused", "550e8400-e29b-41d4-a716-446655440000"}},
		{Name: "region", Values: 3, Examples: []string{"eu-1", "eu-2"}},
	},
	WhatIf: []gatewaystate.WhatIf{{Label: "error", Series: 40, Wanted: 48211, Partial: true, Remedy: "labels:\n  - {match: {metrics: [order\\.errors]}, drop: [error]}\n"}},
}

func ptr[T any](v T) *T { return &v }
