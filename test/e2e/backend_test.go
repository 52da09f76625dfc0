package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// backend is a server for OTLP and for Prometheus remote write. It remembers the attribute "id" of every data point, log record
// and span that it accepted. It also has a sum per metric name over delta points: the values of counters, and the sums of
// exponential histograms.
type backend struct {
	mu   sync.Mutex
	hang bool
	deny bool // answer UNAVAILABLE
	held int  // requests that wait in a hang
	no   int  // requests that were denied
	ids  map[string]int
	sums map[string]float64
	seen *seen // nil in a backend for loads

	// stop closes the port and ends the requests that hang.
	stop func()
}

// startBackend listens on the address. The backend can be stopped and started again, and keeps its memory.
func startBackend(t *testing.T, address string) *backend {
	b := newBackend()
	b.seen = newSeen()
	b.start(t, address)
	return b
}

// startSums starts a backend without a ledger of series, for loads: the ledger needs more CPU time for a point than the gateway.
func startSums(t *testing.T, address string) *backend {
	b := newBackend()
	b.start(t, address)
	return b
}

func newBackend() *backend { return &backend{ids: map[string]int{}, sums: map[string]float64{}} }

func (b *backend) start(t *testing.T, address string) {
	b.stop = otlptest.Start(t, b.receive, otlptest.Options{
		Address: address, Paths: map[string]http.Handler{"POST /api/v1/write": remoteWrite{t, b}},
	}).Stop
}

// setHang makes requests wait until their caller gives up, or ends that.
func (b *backend) setHang(hang bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hang = hang
}

// setDeny makes requests fail with UNAVAILABLE, or ends that.
func (b *backend) setDeny(deny bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deny = deny
}

// repeats returns the number of arrivals beyond the first one of each id.
func (b *backend) repeats() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, times := range b.ids {
		n += times - 1
	}
	return n
}

// admit waits in a hang until the caller gives up.
func (b *backend) admit(ctx context.Context) error {
	b.mu.Lock()
	hang, deny := b.hang, b.deny
	switch {
	case deny:
		b.no++
	case hang:
		b.held++
	}
	b.mu.Unlock()
	if deny {
		return status.Error(codes.Unavailable, "told to")
	}
	if !hang {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (b *backend) note(attributes pcommon.Map) {
	if id, ok := attributes.Get("id"); ok {
		b.ids[id.Str()]++
	}
}

// has reports whether every id arrived at least once. Otherwise it returns one that did not.
func (b *backend) has(ids []string) (bool, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if b.ids[id] == 0 {
			return false, id
		}
	}
	return true, ""
}

// distinct returns the number of ids that arrived.
func (b *backend) distinct() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ids)
}

func (b *backend) sum(metric string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sums[metric]
}

func (b *backend) hanging() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

func (b *backend) refusals() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.no
}

func (b *backend) receive(ctx context.Context, request otlptest.Request) error {
	if err := b.admit(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rm := range request.Metrics.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				b.noteMetric(m)
			}
		}
	}
	for _, rl := range request.Logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				b.note(record.Attributes())
			}
		}
	}
	for _, rs := range request.Traces.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				b.note(span.Attributes())
			}
		}
	}
	return nil
}

func (b *backend) noteMetric(m pmetric.Metric) {
	if b.seen != nil {
		b.seen.note(m)
	}
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			b.note(p.Attributes())
			v := p.DoubleValue()
			if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
				v = float64(p.IntValue())
			}
			if m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta {
				b.sums[m.Name()] += v
			}
		}
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			b.note(p.Attributes())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			if m.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta {
				b.sums[m.Name()] += p.Sum()
			}
		}
	}
}

// startSink starts an OTLP backend, over gRPC and HTTP, that accepts everything and forgets it.
func startSink(t *testing.T, address string) {
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := &http.Server{ //nolint:gosec // its only client is the gateway
		Protocols: new(http.Protocols),
		Handler: http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // a gateway that gives up is no concern of the sink
			const gRPC = "application/grpc"
			if strings.HasPrefix(r.Header.Get("Content-Type"), gRPC) {
				answer.Header().Set("Content-Type", gRPC)
				answer.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
				_, _ = answer.Write(make([]byte, 5)) // an empty message: not compressed, 0 bytes
			}
		}),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
}
