package fallbacklog

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// Three short outages, then a lasting one: each change is logged, and the last line is the state.
func TestChangesOfStateAreLogged(t *testing.T) {
	b := newBackend(t)
	core, lines := observer.New(zap.InfoLevel)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b)), zap.New(core))
	const falls, drained = "data goes to the local log", "data goes out again and the local log is drained"
	for i := range 3 {
		b.refuse(codes.Unavailable)
		require.NoError(t, g.sendLog(fmt.Sprint(i)))
		b.set(nil)
		eventually(t, func() bool { return lines.FilterMessage(drained).Len() == i+1 }, "it is drained")
	}
	b.refuse(codes.Unavailable)
	require.NoError(t, g.sendLog("last"))
	assert.Equal(t, 4, lines.FilterMessage(falls).Len())
	assert.Equal(t, 3, lines.FilterMessage(drained).Len())
}

// During an outage there is one line per minute. It contains the deliveries since the previous line.
func TestOutageIsLoggedEveryMinute(t *testing.T) {
	var o outage
	begun := time.Unix(1000, 0)
	_, _, due := o.due(begun, 5)
	assert.False(t, due, "there is none")
	o.begin(begun, 7)
	lines := 0
	for second := range 600 {
		age, delivered, due := o.due(begun.Add(time.Duration(second)*time.Second), 7+uint64(second/120))
		if due {
			lines++
			assert.Equal(t, time.Duration(lines)*time.Minute, age)
			assert.EqualValues(t, 1-lines%2, delivered)
		}
	}
	assert.Equal(t, 9, lines)
	o.end()
	_, _, due = o.due(begun.Add(time.Hour), 100)
	assert.False(t, due)
}

// The line of each minute describes the actual state: the breaker may be closed while the downstream refuses everything.
func TestLineOfTheMinuteIsTrue(t *testing.T) {
	const (
		outageLasts = "the outage lasts, and data goes to the local log"
		refused     = "the downstream refuses signals, and their data goes to the local log"
		stands      = "the local log is not drained, and nothing went out since the last line"
		back        = "the downstream is back, and the local log is not drained yet"
	)
	tolerant := map[string]any{"circuit_breaker": map[string]any{"failure_threshold": 1000}}
	slow := map[string]any{"replay": map[string]any{"max_requests_per_second": 0.001}}
	for name, tc := range map[string]struct {
		code     codes.Code
		batches  int
		recovers bool // one more batch goes out
		settings []map[string]any
		want     string
		level    zapcore.Level
	}{
		"wrong key":          {code: codes.Unauthenticated, batches: 10, want: refused, level: zap.WarnLevel},
		"wrong key, one try": {code: codes.Unauthenticated, batches: 1, want: stands, level: zap.WarnLevel},
		"down":               {code: codes.Unavailable, batches: 10, want: outageLasts, level: zap.WarnLevel},
		"back": {
			code: codes.Unavailable, batches: 1, recovers: true, settings: []map[string]any{tolerant, slow}, want: back, level: zap.InfoLevel,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			var refusals atomic.Int64
			b.set(func(string) error {
				refusals.Add(1)
				return status.Error(tc.code, "refused")
			})
			settings := append([]map[string]any{testSettings(t.TempDir()), httpTo(b)}, tc.settings...)
			seen, lines := observer.New(zap.InfoLevel)
			var c *core
			var ahead atomic.Int64
			e := startLogs(t, loadConfig(t, settings...), func(started *core) {
				c = started
				c.unsampled = zap.New(seen)
				c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			})
			t.Cleanup(func() { assert.NoError(t, e.Shutdown(context.Background())) })
			send := func(name string) { require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs(name, 1))) }
			for i := range tc.batches {
				send(fmt.Sprint(i))
			}
			if tc.want == refused {
				eventually(t, func() bool { return len(c.group.RefusedSignals()) > 0 }, "the signal waits")
			}
			if tc.recovers {
				eventually(t, func() bool { return refusals.Load() == 3 }, "two live attempts, and the one of replay")
				b.set(nil)
				send("live")
			}
			ahead.Add(int64(outageEvery))
			c.logOutage(1000) // the timer may have logged it already
			var minuteLines []observer.LoggedEntry
			eventually(t, func() bool {
				minuteLines = lines.Filter(func(line observer.LoggedEntry) bool { return line.ContextMap()["age"] != nil }).All()
				return len(minuteLines) > 0
			}, "a line")
			require.Len(t, minuteLines, 1)
			assert.Equal(t, tc.want, minuteLines[0].Message)
			assert.Equal(t, tc.level, minuteLines[0].Level)
			fields := minuteLines[0].ContextMap()
			assert.Contains(t, fields, "backlog_bytes")
			assert.Contains(t, fields, "error")
			if tc.want == refused {
				assert.Equal(t, []any{"logs"}, fields["signals"])
			}
		})
	}
}

func (g *gateway) points(name string) []metricdata.DataPoint[int64] {
	g.t.Helper()
	return harness.Points[int64](g.t, g.tel.Reader, name)
}

// Each counter of lost data has a point for each value of its label before anything is lost.
func TestCountersOfLossBeginAtZero(t *testing.T) {
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir())))
	for name, want := range map[string][]string{
		"dropped_items":     {"full", "partial_success", "dead_letter_full"},
		"dead_letter_items": {"permanent", "poison", "undecodable"},
		"damage":            {"corrupt", "emptied", "missing", "taken"},
		"rejected_items":    {""},
		"expired_items":     {""},
		"late_items":        {""},
		"corrupt_bytes":     {""},
	} {
		var values []string
		for _, p := range g.points("otelcol_exporter_fallbacklog_" + name) {
			assert.Zero(t, p.Value)
			if signal, _ := p.Attributes.Value("signal"); signal.AsString() != "metrics" {
				continue
			}
			label, ok := p.Attributes.Value("reason")
			if !ok {
				label, _ = p.Attributes.Value("kind")
			}
			values = append(values, label.AsString())
		}
		assert.ElementsMatch(t, want, values, name)
	}
}

// fallbacklog provides the counters that every exporter has. They count delivered and lost items once, also behind a queue.
func TestCountersOfEveryExporter(t *testing.T) {
	for _, queue := range []bool{false, true} {
		t.Run(fmt.Sprint("queue=", queue), func(t *testing.T) {
			b := newBackend(t)
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b), map[string]any{
				"sending_queue": map[string]any{"enabled": queue}, "replay": map[string]any{"enabled": false},
				"log": map[string]any{"max_age": "50ms"},
			}))
			const sent, failed = "otelcol_exporter_sent_log_records", "otelcol_exporter_send_failed_log_records"
			require.Len(t, g.points(sent), 1)
			assert.Zero(t, g.points(sent)[0].Value, "it begins at zero")
			require.Len(t, g.points(failed), 1)
			assert.Zero(t, g.points(failed)[0].Value)
			lost, err := g.tel.GetMetric(failed)
			require.NoError(t, err)
			assert.Contains(t, lost.Description, "lost for good", "failed attempts are not what it counts")

			require.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs("good", 3)))
			eventually(t, func() bool { return g.points(sent)[0].Value == 3 }, "delivered")
			b.refuse(codes.Unavailable)
			require.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs("late", 2)))
			eventually(t, func() bool { return g.points(failed)[0].Value == 2 }, "expired")
			b.refuse(codes.InvalidArgument)
			eventually(t, func() bool {
				require.NoError(t, g.sendLog("bad"))
				return g.sum("dead_letter_items") > 0
			}, "dead-lettered is neither")
			assert.Len(t, g.points(sent), 1)
			assert.EqualValues(t, 3, g.points(sent)[0].Value)
		})
	}
}

// The error for a sender names the cause, without file names, sizes and times.
func TestErrorsToSendersAreGrouped(t *testing.T) {
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), map[string]any{"log": map[string]any{"max_disk_mib": 1}}))
	large := make([]byte, 300<<10)
	for i := range large {
		large[i] = 'x'
	}
	texts := map[string]bool{}
	for range 10 {
		if err := g.sendLog(string(large)); err != nil {
			texts[err.Error()] = true
		}
	}
	assert.Equal(t, map[string]bool{"neither delivered nor logged: log is full": true}, texts)
}
