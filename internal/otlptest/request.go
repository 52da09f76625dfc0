package otlptest

import (
	"net/http"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Request is what a client has sent. Two of the three signals are empty.
type Request struct {
	Metrics pmetric.Metrics
	Logs    plog.Logs
	Traces  ptrace.Traces
	// Header has the headers of HTTP, or the metadata of gRPC.
	Header http.Header
}

func newRequest(header http.Header) Request {
	return Request{Metrics: pmetric.NewMetrics(), Logs: plog.NewLogs(), Traces: ptrace.NewTraces(), Header: header}
}

// Names returns the names of the metrics and spans and the bodies of the log records.
func (r Request) Names() []string {
	return append(append(MetricNames(r.Metrics), LogBodies(r.Logs)...), SpanNames(r.Traces)...)
}

// MetricNames returns the names of the metrics, in their order.
func MetricNames(md pmetric.Metrics) (names []string) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				names = append(names, m.Name())
			}
		}
	}
	return names
}

// LogBodies returns the bodies of the log records that are strings, in their order.
func LogBodies(ld plog.Logs) (bodies []string) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				bodies = append(bodies, record.Body().Str())
			}
		}
	}
	return bodies
}

// SpanNames returns the names of the spans, in their order.
func SpanNames(td ptrace.Traces) (names []string) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				names = append(names, span.Name())
			}
		}
	}
	return names
}
