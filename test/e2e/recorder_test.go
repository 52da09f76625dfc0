package e2e

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/otelcol-custom/otelcol-custom/internal/pointcount"
)

// recorder is an OTLP gRPC server that keeps every request, with the headers of the last one.
type recorder struct {
	pmetricotlp.UnimplementedGRPCServer

	mu      sync.Mutex // guards everything below
	metrics []pmetric.Metrics
	logs    []plog.Logs
	traces  []ptrace.Traces
	headers metadata.MD
}

func startRecorder(t *testing.T, address string, options ...grpc.ServerOption) *recorder {
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	r := &recorder{}
	server := grpc.NewServer(options...)
	pmetricotlp.RegisterGRPCServer(server, r)
	plogotlp.RegisterGRPCServer(server, &logRecorder{recorder: r})
	ptraceotlp.RegisterGRPCServer(server, &traceRecorder{recorder: r})
	go func() { _ = server.Serve(listener) }() // ends with Stop
	t.Cleanup(server.Stop)
	return r
}

func (r *recorder) Export(ctx context.Context, request pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	r.keep(ctx, func() { r.metrics = append(r.metrics, request.Metrics()) })
	return pmetricotlp.NewExportResponse(), nil
}

func (r *recorder) keep(ctx context.Context, add func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.headers, _ = metadata.FromIncomingContext(ctx)
	add()
}

type logRecorder struct {
	plogotlp.UnimplementedGRPCServer
	*recorder
}

func (r *logRecorder) Export(ctx context.Context, request plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	r.keep(ctx, func() { r.logs = append(r.logs, request.Logs()) })
	return plogotlp.NewExportResponse(), nil
}

type traceRecorder struct {
	ptraceotlp.UnimplementedGRPCServer
	*recorder
}

func (r *traceRecorder) Export(ctx context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	r.keep(ctx, func() { r.traces = append(r.traces, request.Traces()) })
	return ptraceotlp.NewExportResponse(), nil
}

// header returns the last request's header.
func (r *recorder) header(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.headers.Get(name))
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

// points returns the numbers of points by metric name.
func (r *recorder) points() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]int{}
	for _, md := range r.metrics {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					out[m.Name()] += pointcount.InMetric(m)
				}
			}
		}
	}
	return out
}

// counterSums returns the sums over all points of integer counters, by metric name.
func (r *recorder) counterSums() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]int64{}
	for _, md := range r.metrics {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Type() != pmetric.MetricTypeSum {
						continue
					}
					for _, p := range m.Sum().DataPoints().All() {
						out[m.Name()] += p.IntValue()
					}
				}
			}
		}
	}
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
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					names = append(names, s.Name())
				}
			}
		}
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
