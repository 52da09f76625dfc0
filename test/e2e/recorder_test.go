package e2e

import (
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
	"github.com/otelcol-custom/otelcol-custom/internal/pointcount"
)

// recorder is an OTLP server that keeps every request, with the headers of the last one.
type recorder struct {
	mu      sync.Mutex // guards everything below
	metrics []pmetric.Metrics
	logs    []plog.Logs
	traces  []ptrace.Traces
	headers http.Header
}

// startRecorder listens on the address, with TLS only if there is a configuration.
func startRecorder(t *testing.T, address string, config ...*tls.Config) *recorder {
	r := &recorder{}
	o := otlptest.Options{Address: address}
	if len(config) > 0 {
		o.TLS = config[0]
	}
	otlptest.Start(t, r.keep, o)
	return r
}

func (r *recorder) keep(_ context.Context, request otlptest.Request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.headers = request.Header
	if n := request.Metrics.MetricCount(); n > 0 {
		r.metrics = append(r.metrics, request.Metrics)
	}
	if n := request.Logs.LogRecordCount(); n > 0 {
		r.logs = append(r.logs, request.Logs)
	}
	if n := request.Traces.SpanCount(); n > 0 {
		r.traces = append(r.traces, request.Traces)
	}
	return nil
}

// header returns the last request's header.
func (r *recorder) header(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.headers.Values(name))
}

// logBatches returns the numbers of records of the requests.
func (r *recorder) logBatches() (sizes []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.logs {
		sizes = append(sizes, l.LogRecordCount())
	}
	return sizes
}

// eachMetric calls yield for every metric, in the order of arrival.
func (r *recorder) eachMetric(yield func(pmetric.Metric)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, md := range r.metrics {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					yield(m)
				}
			}
		}
	}
}

// byName returns the metric of each name that arrived last.
func (r *recorder) byName() map[string]pmetric.Metric {
	out := map[string]pmetric.Metric{}
	r.eachMetric(func(m pmetric.Metric) { out[m.Name()] = m })
	return out
}

// points returns the numbers of points by metric name.
func (r *recorder) points() map[string]int {
	out := map[string]int{}
	r.eachMetric(func(m pmetric.Metric) { out[m.Name()] += pointcount.InMetric(m) })
	return out
}

// counterSums returns the sums over all points of integer counters, by metric name.
func (r *recorder) counterSums() map[string]int64 {
	out := map[string]int64{}
	r.eachMetric(func(m pmetric.Metric) {
		if m.Type() != pmetric.MetricTypeSum {
			return
		}
		for _, p := range m.Sum().DataPoints().All() {
			out[m.Name()] += p.IntValue()
		}
	})
	return out
}

// eventNames returns the event names of all log records.
func (r *recorder) eventNames() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ld := range r.logs {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, record := range sl.LogRecords().All() {
					names = append(names, record.EventName())
				}
			}
		}
	}
	return names
}

// spans returns the names of all spans.
func (r *recorder) spans() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, td := range r.traces {
		names = append(names, otlptest.SpanNames(td)...)
	}
	return names
}

// asJSON returns everything that arrived, as OTLP JSON.
func (r *recorder) asJSON(t *testing.T) string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []byte
	add := func(content []byte, err error) {
		require.NoError(t, err)
		all = append(all, content...)
	}
	for _, md := range r.metrics {
		add((&pmetric.JSONMarshaler{}).MarshalMetrics(md))
	}
	for _, ld := range r.logs {
		add((&plog.JSONMarshaler{}).MarshalLogs(ld))
	}
	for _, td := range r.traces {
		add((&ptrace.JSONMarshaler{}).MarshalTraces(td))
	}
	return string(all)
}
