package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// streak is the number of consecutive permanent errors, without a success, that mean that the downstream is at fault.
const streak = 5

func (g *gateway) sendLog(name string) error {
	return g.logs.ConsumeLogs(context.Background(), makeLogs(name, 1))
}

func refuseOnly(bad string, c codes.Code) func(string) error {
	return func(name string) error {
		if name == bad+"/0" {
			return status.Error(c, "bad")
		}
		return nil
	}
}

func TestPermanentErrorGoesToTheDeadLetter(t *testing.T) {
	for name, tc := range map[string]struct {
		to   func(*backend) map[string]any
		code string
	}{"otlp_grpc": {grpcTo, "InvalidArgument"}, "otlp_http": {httpTo, "400"}} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			b.set(refuseOnly("bad", codes.InvalidArgument))
			dir := t.TempDir()
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), tc.to(b)))
			require.NoError(t, g.sendLog("good"))
			require.NoError(t, g.sendLog("bad"), "it is durable, in the dead letter")
			require.NoError(t, g.sendLog("good2"))
			assert.Zero(t, g.sum("breaker_transitions"), "a refused batch is no outage")
			assert.EqualValues(t, 1, g.sum("dead_letter_items", "reason", "permanent"))
			items, lines := onDisk(t, dir, "logs", true)
			require.Equal(t, 1, items)
			m, err := record.Reader{}.Parse(lines[0])
			require.NoError(t, err)
			assert.Equal(t, "permanent", m.Reason)
			assert.Equal(t, tc.code, m.Code)
			assert.Equal(t, 1, m.Attempts)
			assert.Len(t, b.names(), 2)
		})
	}
}

func TestPermanentErrorWithoutADeadLetterGoesBack(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.InvalidArgument)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b),
		map[string]any{"dead_letter": map[string]any{"enabled": false}}))
	err := g.sendLog("bad")
	require.Error(t, err)
	assert.True(t, consumererror.IsPermanent(err))
	assert.EqualValues(t, 1, g.sum("rejected_items"))
}

// A record that is refused in replay goes to the dead letter. The records around it arrive.
func TestPermanentErrorInReplay(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	dir := t.TempDir()
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b)))
	for _, name := range []string{"a", "bad", "c"} {
		require.NoError(t, g.sendLog(name))
	}
	b.set(refuseOnly("bad", codes.InvalidArgument))
	eventually(t, func() bool {
		return g.sum("dead_letter_items") == 1 && len(b.names()) == 2 && g.sum("breaker_state") == 0
	}, "")
	items, _ := onDisk(t, dir, "logs", true)
	assert.Equal(t, 1, items)
}

// UNAUTHENTICATED would refuse all data: nothing goes to the dead letter, and the log is kept and tried slowly.
func TestSystemicErrorKeepsTheLog(t *testing.T) {
	for name, to := range map[string]func(*backend) map[string]any{"otlp_grpc": grpcTo, "otlp_http": httpTo} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			b.refuse(codes.Unauthenticated)
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), to(b)))
			for i := range 10 {
				require.NoError(t, g.sendLog(fmt.Sprint(i)))
			}
			assert.Zero(t, g.sum("dead_letter_items"))
			assert.EqualValues(t, 10, g.sum("logged_items"))
			b.set(nil)
			eventually(t, func() bool { return len(b.names()) == 10 }, "a new token lets everything through")
			assert.Zero(t, g.sum("dead_letter_items"))
		})
	}
}

// Five different batches that are refused consecutively without a success mean that the downstream is at fault.
func TestFivePermanentErrorsInARowAreSystemic(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.InvalidArgument)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b)))
	for i := range 10 {
		require.NoError(t, g.sendLog(fmt.Sprint(i)))
	}
	assert.EqualValues(t, streak-1, g.sum("dead_letter_items"))
	b.set(nil)
	eventually(t, func() bool { return len(b.names()) == 10-(streak-1) }, "the others arrive")
}

// A record that the downstream cannot accept, but answers with retryable errors, neither blocks the others nor keeps the
// breaker open.
func TestPoisonRecordGoesToTheDeadLetter(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	dir := t.TempDir()
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b)))
	require.NoError(t, g.sendLog("bad"))
	for i := range 20 {
		require.NoError(t, g.sendLog(fmt.Sprint(i)))
	}
	b.set(refuseOnly("bad", codes.Unavailable))
	live := 0
	eventually(t, func() bool {
		live++ // all others may have passed in one request
		require.NoError(t, g.sendLog(fmt.Sprint("live", live)))
		return len(b.names()) == 20+live && g.sum("dead_letter_items") == 1 && g.sum("breaker_state") == 0
	}, "")
	_, lines := onDisk(t, dir, "logs", true)
	m, err := record.Reader{}.Parse(lines[0])
	require.NoError(t, err)
	assert.Equal(t, "poison", m.Reason)
}

// An outage alone never makes a record poison, however often it is tried.
func TestOutageAloneIsNotPoison(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b)))
	for i := range 10 {
		require.NoError(t, g.sendLog(fmt.Sprint(i)))
	}
	eventually(t, func() bool { return g.sum("replay_failures") > 10 }, "tried again and again")
	b.set(nil)
	eventually(t, func() bool { return len(b.names()) == 10 }, "")
	assert.Zero(t, g.sum("dead_letter_items"))
}

// scripted is an exporter whose answers a test decides.
type scripted struct {
	component.StartFunc
	component.ShutdownFunc
	mutates bool
	answer  func(context.Context, plog.Logs) error
}

func (s *scripted) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: s.mutates}
}

func (s *scripted) ConsumeLogs(ctx context.Context, ld plog.Logs) error { return s.answer(ctx, ld) }

func (s *scripted) factory() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("scripted"),
		func() component.Config { return &struct{}{} },
		exporter.WithLogs(func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) {
			return s, nil
		}, component.StabilityLevelStable))
}

var toScripted = map[string]any{"exporter": map[string]any{"scripted": nil}}

func startScripted(t *testing.T, s *scripted, settings ...map[string]any) *lane {
	t.Helper()
	f := NewFactory()
	cfg := loadConfig(t, append([]map[string]any{testSettings(t.TempDir()), toScripted}, settings...)...)
	set := exporterSettings(t, f)
	e, err := f.CreateLogs(context.Background(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(context.Background(), newTestHost(s.factory())))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	return e.(logsExporter).lane
}

// consumeLog goes through the exporter's own path.
func consumeLog(ctx context.Context, l *lane, s *scripted, name string) error {
	i := &instance[plog.Logs]{signal: logs, core: l.core, lane: l, wrapped: wrapped[plog.Logs]{Component: s, capabilities: s.Capabilities(), consume: s.ConsumeLogs}}
	return i.consume(ctx, makeLogs(name, 1))
}

// prometheus_remote_write returns one permanent error without a code for everything, including an outage. Nothing goes to the
// dead letter for it.
func TestOpaquePermanentErrorsKeepTheData(t *testing.T) {
	var mu sync.Mutex
	down := true
	got := map[string]int{}
	s := &scripted{answer: func(_ context.Context, ld plog.Logs) error {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return consumererror.NewPermanent(errors.New("remote write returned HTTP status 503"))
		}
		for _, name := range otlptest.LogBodies(ld) {
			got[name]++
		}
		return nil
	}}
	l := startScripted(t, s)
	for i := range 10 {
		require.NoError(t, consumeLog(context.Background(), l, s, fmt.Sprint(i)))
	}
	assert.True(t, l.deadLetter.Empty())
	mu.Lock()
	down = false
	mu.Unlock()
	eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == 10
	}, "everything arrives")
	assert.True(t, l.deadLetter.Empty())
}

func TestMutatingExporterGetsACopy(t *testing.T) {
	s := &scripted{mutates: true, answer: func(_ context.Context, ld plog.Logs) error {
		ld.ResourceLogs().RemoveIf(func(plog.ResourceLogs) bool { return true })
		return status.Error(codes.Unavailable, "")
	}}
	l := startScripted(t, s, map[string]any{"replay": map[string]any{"enabled": false}})
	require.NoError(t, consumeLog(context.Background(), l, s, "x"))
	e, ok, err := l.log.Next()
	require.NoError(t, err)
	require.True(t, ok)
	m, err := record.Reader{}.Parse(e.Record)
	require.NoError(t, err)
	assert.Equal(t, 1, m.Items)
}

// The caller's deadline less the reserve is the budget: the data is in the log before the caller's deadline.
func TestHangingDownstreamKeepsTheCallersDeadline(t *testing.T) {
	s := &scripted{answer: func(ctx context.Context, _ plog.Logs) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	l := startScripted(t, s, map[string]any{"timeout": "1h", "budget": "1h", "replay": map[string]any{"enabled": false}})
	ctx, cancel := context.WithTimeout(context.Background(), 1200*time.Millisecond)
	defer cancel()
	require.NoError(t, consumeLog(ctx, l, s, "x"))
	require.NoError(t, ctx.Err(), "answered in time")
	assert.False(t, l.log.Empty())
}

// A caller that gives up is no sign of an outage; its data is kept.
func TestCanceledCallerDoesNotCount(t *testing.T) {
	entered := make(chan struct{}, 10)
	s := &scripted{answer: func(ctx context.Context, _ plog.Logs) error {
		entered <- struct{}{}
		<-ctx.Done()
		return consumererror.NewPermanent(ctx.Err())
	}}
	l := startScripted(t, s, map[string]any{"replay": map[string]any{"enabled": false}})
	for range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- consumeLog(ctx, l, s, "x") }()
		<-entered
		cancel()
		require.NoError(t, <-done)
	}
	assert.Zero(t, l.core.breaker.State())
	assert.False(t, l.log.Empty())
}
