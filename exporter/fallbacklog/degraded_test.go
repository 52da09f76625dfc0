package fallbacklog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

var (
	sick = componentstatus.StatusRecoverableError
	well = componentstatus.StatusOK
)

// A log that fails is in the component's status with the reason until it accepts data again. The status recovers with the next
// append, or when the disk works again if nothing is to be logged.
func TestFailingLogIsInTheStatus(t *testing.T) {
	for _, tc := range []struct {
		op    string
		cause error
	}{
		{"write", syscall.ENOSPC}, {"write", syscall.EIO}, {"sync", syscall.EIO}, {"create", syscall.EROFS}, {"create", syscall.EMFILE},
	} {
		for _, again := range []string{"append", "maintain"} {
			t.Run(fmt.Sprint(tc.op, " ", tc.cause, " ", again), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					disk := &badFS{}
					host := newTestHost()
					e := startLogsOn(t, host, loadConfig(t, testSettings(t.TempDir())), func(c *core) { c.fs = disk })
					send := func() error { return e.ConsumeLogs(context.Background(), makeLogs("x", 1)) }
					if tc.op != "create" {
						require.NoError(t, send())
					}
					assert.Empty(t, host.seen())
					disk.fail(tc.op, tc.cause)
					for range 3 {
						require.Error(t, send())
						time.Sleep(5 * time.Second)
						synctest.Wait()
					}
					assert.Equal(t, []componentstatus.Status{sick}, host.seen())
					require.ErrorIs(t, host.last().Err(), tc.cause)
					disk.fail("", nil)
					if again == "append" {
						require.NoError(t, send())
					}
					if again == "maintain" || tc.op == "sync" { // the cursor could not be saved either
						time.Sleep(2 * time.Second)
						synctest.Wait()
					}
					assert.Equal(t, []componentstatus.Status{sick, well}, host.seen())
					require.NoError(t, e.Shutdown(context.Background()))
				})
			})
		}
	}
}

// A directory that was deleted and must not be created again is in the status until it exists.
func TestTakenDirectoryIsInTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.Mkdir(dir, 0o700))
		host := newTestHost()
		e := startLogsOn(t, host, loadConfig(t, testSettings(dir), map[string]any{"log": map[string]any{"create_directory": false}}), func(*core) {})
		send := func() error { return e.ConsumeLogs(context.Background(), makeLogs("x", 1)) }
		require.NoError(t, send())
		require.NoError(t, os.RemoveAll(dir))
		require.Error(t, send())
		assert.Equal(t, []componentstatus.Status{sick}, host.seen())
		require.ErrorContains(t, host.last().Err(), "must exist, or create_directory be true")
		require.NoError(t, os.Mkdir(dir, 0o700))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, well, host.last().Status())
		require.NoError(t, send())
		require.NoError(t, e.Shutdown(context.Background()))
	})
}

// A full log is in the status and in log_degraded until it has room for the record that it has refused. A record that could
// never fit does not count.
func TestFullLogIsInTheStatus(t *testing.T) {
	host := newTestHost()
	g := startGateway(t, host, loadConfig(t, testSettings(t.TempDir()), map[string]any{
		"log": map[string]any{"max_disk_mib": 1, "max_age": "1h"},
	}))
	large := strings.Repeat("x", 300<<10)
	require.ErrorIs(t, g.sendLog(strings.Repeat(large, 4)), segment.ErrTooLarge)
	assert.Empty(t, host.seen())
	var err error
	for n := 0; err == nil; n++ {
		require.Less(t, n, 10)
		err = g.sendLog(large)
	}
	require.ErrorIs(t, err, segment.ErrFull)
	assert.Equal(t, []componentstatus.Status{sick}, host.seen()[:1])
	assert.EqualValues(t, 1, g.sum("log_degraded", "signal", "logs"))
	assert.EqualValues(t, 0, g.sum("log_degraded", "signal", "traces"))

	core := g.logs.(logsExporter).core
	used := core.logBudget.Used()
	core.logBudget.Release(used) // simulates that the log has drained
	eventually(t, func() bool { return g.sum("log_degraded") == 0 && host.last().Status() == well }, "there is room")
	core.logBudget.Add(used)
}

// A dead letter that accepts no data is in the status. Batches for it go back to the caller.
func TestFullDeadLetterIsInTheStatus(t *testing.T) {
	host := newTestHost()
	s := &scripted{answer: func(context.Context, plog.Logs) error { return status.Error(codes.InvalidArgument, "") }}
	host.factories[s.factory().Type()] = s.factory()
	disk := &badFS{}
	e := startLogsOn(t, host, loadConfig(t, testSettings(t.TempDir()), toScripted), func(c *core) { c.fs = disk })
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	disk.fail("create", syscall.EDQUOT)
	require.ErrorIs(t, e.ConsumeLogs(context.Background(), makeLogs("x", 1)), syscall.EDQUOT)
	assert.Equal(t, []componentstatus.Status{sick}, host.seen())
	disk.fail("", nil)
	require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs("x", 1)))
	assert.Equal(t, well, host.last().Status())
}
