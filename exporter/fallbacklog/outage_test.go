package fallbacklog

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
)

// send hands one batch of n items for each signal to the gateway and requires that all are acknowledged.
func (g *gateway) send(name string, n int) {
	g.t.Helper()
	ctx := context.Background()
	require.NoError(g.t, g.traces.ConsumeTraces(ctx, makeTraces("t/"+name, n)))
	require.NoError(g.t, g.metrics.ConsumeMetrics(ctx, makeMetrics("m/"+name, n)))
	require.NoError(g.t, g.logs.ConsumeLogs(ctx, makeLogs("l/"+name, n)))
}

// The whole story, for each transport: healthy, refused, hanging, back.
func TestOutageDeliversEverything(t *testing.T) {
	for name, to := range map[string]func(*backend) map[string]any{"otlp_grpc": grpcTo, "otlp_http": httpTo} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			host := newTestHost()
			dir := t.TempDir()
			cfg := loadConfig(t, testSettings(dir), to(b), map[string]any{"timeout": "300ms"})
			g := startGateway(t, host, cfg)

			const n = 7
			g.send("healthy", n)
			assert.Len(t, b.names(), 3*n)
			items, _ := onDisk(t, dir, "metrics", false)
			require.Zero(t, items, "a healthy batch touches no disk")
			require.Zero(t, g.sum("breaker_state"))

			b.refuse(codes.Unavailable)
			for i := range 5 {
				g.send(fmt.Sprintf("refused%d", i), n)
			}
			eventually(t, func() bool { return g.sum("breaker_transitions", "to=open") > 0 }, "the breaker opens")
			assert.Len(t, b.names(), 3*n, "nothing new has arrived")

			b.set(nil)
			b.holdAnswers()
			g.send("hanging", n)
			// Every record on disk is OTLP JSON.
			items = 0
			for _, signal := range []string{"traces", "metrics", "logs"} {
				i, lines := onDisk(t, dir, signal, false)
				items += i
				for _, line := range lines {
					switch signal {
					case "traces":
						td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
						require.NoError(t, err)
						assert.Equal(t, n, td.SpanCount())
					case "metrics":
						md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
						require.NoError(t, err)
						assert.Equal(t, n, md.DataPointCount())
					default:
						ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
						require.NoError(t, err)
						assert.Equal(t, n, ld.LogRecordCount())
					}
				}
			}
			assert.Equal(t, 3*n*6, items, "all that was acknowledged and not delivered")
			assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, host.seen()[:1])

			b.release()
			eventually(t, func() bool { return len(b.names()) == 3*n*7 }, "everything arrives")
			eventually(t, func() bool { return g.sum("breaker_state") == 0 }, "the breaker closes")
			eventually(t, func() bool { s := host.seen(); return s[len(s)-1] == componentstatus.StatusOK }, "status is OK again")
			eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log is empty")
			assert.EqualValues(t, 3*n*7, g.sum("received_items"))
			assert.EqualValues(t, 3*n*6, g.sum("delivered_items", "path=replayed"))
			assert.EqualValues(t, 3*n, g.sum("delivered_items", "path=direct"))
			assert.EqualValues(t, 3*n*6, g.sum("logged_items"))
		})
	}
}
