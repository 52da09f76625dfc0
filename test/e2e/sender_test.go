package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// sender sends one item per request, of each signal in turn, and remembers the ids that the gateway acknowledged. It is safe
// for concurrent use.
type sender struct {
	metrics pmetricotlp.GRPCClient
	logs    plogotlp.GRPCClient
	traces  ptraceotlp.GRPCClient

	metricsOnly bool

	mu    sync.Mutex
	next  int
	acked []string
}

func newSender(t *testing.T, address string) *sender {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &sender{
		metrics: pmetricotlp.NewGRPCClient(conn),
		logs:    plogotlp.NewGRPCClient(conn),
		traces:  ptraceotlp.NewGRPCClient(conn),
	}
}

// send sends the next item and notes its id if the gateway acknowledges it.
func (s *sender) send(ctx context.Context) error {
	s.mu.Lock()
	n := s.next
	s.next++
	s.mu.Unlock()
	var (
		id  string
		err error
	)
	switch signal := n % 3; {
	case signal == 0 && !s.metricsOnly:
		id = fmt.Sprintf("log-%d", n)
		data := plog.NewLogs()
		record := data.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.Body().SetStr("an event")
		record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		record.Attributes().PutStr("id", id)
		_, err = s.logs.Export(ctx, plogotlp.NewExportRequestFromLogs(data))
	case signal == 1 && !s.metricsOnly:
		id = fmt.Sprintf("span-%d", n)
		data := ptrace.NewTraces()
		span := data.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetName("a call")
		span.SetTraceID(pcommon.TraceID{1, byte(n >> 8), byte(n)})
		span.SetSpanID(pcommon.SpanID{1, byte(n >> 8), byte(n)})
		span.Attributes().PutStr("id", id)
		_, err = s.traces.Export(ctx, ptraceotlp.NewExportRequestFromTraces(data))
	default:
		id = fmt.Sprintf("point-%d", n)
		data := pmetric.NewMetrics()
		metric := data.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		// One metric per item, because another test covers the cardinality limit.
		metric.SetName(fmt.Sprintf("sender.gauge.%d", n))
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetIntValue(int64(n))
		point.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		point.Attributes().PutStr("id", id)
		_, err = s.metrics.Export(ctx, pmetricotlp.NewExportRequestFromMetrics(data))
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = append(s.acked, id)
	return nil
}

// sendAll sends n items in several goroutines. Each must be acknowledged.
func (s *sender) sendAll(t *testing.T, n int) {
	t.Helper()
	const workers = 8
	ctx := withTimeout(t)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < n; i += workers {
				assert.NoError(t, s.send(ctx))
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed(), "a sender was refused")
}

// sendUntilRefused sends in several goroutines until each gets an error, because the gateway ends. The returned function waits
// for that.
func (s *sender) sendUntilRefused(t *testing.T) (wait func()) {
	ctx := withTimeout(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for s.send(ctx) == nil {
			}
		})
	}
	return func() {
		wg.Wait()
		require.NoError(t, ctx.Err(), "the gateway kept accepting")
	}
}

func (s *sender) acknowledged() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.acked...)
}
