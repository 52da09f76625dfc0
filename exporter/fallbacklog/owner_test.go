package fallbacklog

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// A lock file that is deleted, alone or with the directory, is created and locked again: a second process still cannot start.
func TestDeletedLockIsTakenAgain(t *testing.T) {
	for _, what := range []string{"", "fallbacklog", "fallbacklog/lock"} {
		t.Run("deleted "+what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "log")
				e := startLogsOn(t, newTestHost(), loadConfig(t, testSettings(dir)), func(*core) {})
				require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs("before", 1)))
				require.NoError(t, os.RemoveAll(filepath.Join(dir, what)))
				time.Sleep(2 * time.Second)
				synctest.Wait()
				_, err := tryGateway(t, newTestHost(), loadConfig(t, testSettings(dir)))
				require.ErrorIs(t, err, segment.ErrInUse)
				require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs("after", 1)))
				require.NoError(t, e.Shutdown(context.Background()))
				require.NoError(t, startLogsOn(t, newTestHost(), loadConfig(t, testSettings(dir)), func(*core) {}).Shutdown(context.Background()))
			})
		})
	}
}

// A process whose directory a second process has locked reports it, refuses data, and does not change the directory, until no
// process owns it.
func TestDirectoryTakenByASecondProcess(t *testing.T) {
	for _, what := range []string{"", "fallbacklog/lock"} {
		t.Run("deleted "+what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "log")
				host := newTestHost()
				first := startLogsOn(t, host, loadConfig(t, testSettings(dir)), func(*core) {})
				require.NoError(t, first.ConsumeLogs(context.Background(), makeLogs("before", 1)))
				require.NoError(t, os.RemoveAll(filepath.Join(dir, what)))
				second := startLogsOn(t, newTestHost(), loadConfig(t, testSettings(dir)), func(*core) {})
				require.NoError(t, second.ConsumeLogs(context.Background(), makeLogs("second", 1)))
				if what != "" { // if the path still exists, the timer finds that another process owns it
					time.Sleep(2 * time.Second)
					synctest.Wait()
				}
				for range 3 {
					require.ErrorIs(t, first.ConsumeLogs(context.Background(), makeLogs("refused", 1)), segment.ErrInUse)
					time.Sleep(5 * time.Second)
					synctest.Wait()
				}
				lane := first.(logsExporter).lane
				require.ErrorIs(t, lane.options("", lane.core.logBudget).CheckOwner(), segment.ErrInUse, "nor is a segment compressed")
				assert.Equal(t, []componentstatus.Status{sick}, host.seen()[:1])
				require.ErrorIs(t, host.last().Err(), segment.ErrInUse)
				require.NoError(t, second.ConsumeLogs(context.Background(), makeLogs("second", 1)))
				require.NoError(t, second.Shutdown(context.Background()))
				require.ErrorIs(t, first.ConsumeLogs(context.Background(), makeLogs("refused", 1)), segment.ErrInUse, "it is for a start to read what is there")
				left := unread(t, dir)
				assert.Equal(t, []string{"second/0", "second/0"}, left[len(left)-2:])

				require.NoError(t, os.RemoveAll(dir))
				time.Sleep(2 * time.Second)
				synctest.Wait()
				assert.Equal(t, well, host.last().Status())
				require.NoError(t, first.ConsumeLogs(context.Background(), makeLogs("after", 1)))
				require.NoError(t, first.Shutdown(context.Background()))
				assert.Equal(t, []string{"after/0"}, unread(t, dir))
			})
		})
	}
}
