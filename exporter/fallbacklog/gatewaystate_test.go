package fallbacklog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// A log counts as full as soon as less than leastRoom is free: the probe turns before a usual batch is refused, not after.
func TestReadinessTurnsBeforeTheLogIsFull(t *testing.T) {
	for _, onFull := range []string{"reject", "drop_oldest"} {
		t.Run(onFull, func(t *testing.T) {
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()),
				map[string]any{"log": map[string]any{"max_disk_mib": 2, "on_full": onFull}}))
			state := func() *gatewaystate.Log { return g.logs.(logsExporter).core.GatewayState().Log }
			batch := strings.Repeat("x", 40<<10)
			for range 100 { // twice what the log has room for
				l := state()
				if l.CapacityBytes-l.UsedBytes < leastRoom {
					break
				}
				require.Empty(t, l.Refuses)
				require.NoError(t, g.sendLog(batch))
			}
			if onFull == "drop_oldest" {
				require.Empty(t, state().Refuses, "it has room for all that comes")
				return
			}
			require.Equal(t, "the log is full", state().Refuses)
			require.Error(t, g.sendLog(strings.Repeat("x", leastRoom)))
		})
	}
}

func TestRefusal(t *testing.T) {
	c := &core{cfg: &Config{}}
	log := func(room int64, degraded string) *gatewaystate.Log {
		return &gatewaystate.Log{CapacityBytes: 1 << 30, UsedBytes: 1<<30 - room, Signals: []gatewaystate.LogSignal{{}, {Degraded: degraded}}}
	}
	for onFull, full := range map[OnFull]string{OnFullReject: "the log is full", OnFullDropOldest: "", OnFullDropNewest: ""} {
		c.cfg.Log.OnFull = onFull
		require.Empty(t, c.refusal(log(leastRoom, "")))
		require.Equal(t, full, c.refusal(log(leastRoom-1, "")))
		require.Equal(t, full, c.refusal(log(0, "")))
		require.Equal(t, "the disk does not answer", c.refusal(log(1<<20, "the disk does not answer")), "whatever on_full says")
	}
}

// An outage has one beginning: the attempts of a half-open breaker do not change since when the page calls it open.
func TestAnOutageHasOneBeginning(t *testing.T) {
	b := newBackend(t)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b)))
	since := func() time.Time { return g.logs.(logsExporter).core.GatewayState().Log.BreakerSince }
	started := since()
	b.refuse(codes.Unavailable)
	for i := range 5 {
		g.send(fmt.Sprint(i), 1)
	}
	eventually(t, func() bool { return since().After(started) }, "the breaker opens")
	opened := since()
	eventually(t, func() bool { return g.sum("breaker_transitions", "to", "half_open") > 2 }, "the backend is asked again")
	require.Equal(t, opened, since())
	b.set(nil)
	eventually(t, func() bool { return since().After(opened) }, "the breaker closes")
	require.Zero(t, g.sum("breaker_state"))
}
