package fallbacklog

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// A record that can never fit does not drop other records. Its caller gets an error.
func TestRecordThatNeverFitsDropsNothing(t *testing.T) {
	dir := t.TempDir()
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), map[string]any{
		"log": map[string]any{"max_disk_mib": 2, "on_full": "drop_oldest"},
	}))
	for i := range 10 {
		require.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs(fmt.Sprint(i), 20)))
	}
	err := g.sendLog(strings.Repeat("x", 3*mib))
	require.ErrorIs(t, err, segment.ErrNoRoom)
	assert.False(t, consumererror.IsPermanent(err), "the downstream may take it yet")
	items, _ := onDisk(t, dir, "logs", false)
	assert.Equal(t, 200, items)
	assert.Zero(t, g.sum("dropped_items"))
	assert.EqualValues(t, 1, g.sum("rejected_items"))
}

// freeFS is a file system whose free space a test sets.
type freeFS struct {
	segment.OS
	free atomic.Int64
}

func (f *freeFS) Free(string) (int64, error) { return f.free.Load(), nil }

// With less free space than min_free_disk_mib the component starts, reports the problem and refuses data that it would have to
// log. It recovers as soon as there is room.
func TestStartWithoutRoom(t *testing.T) {
	f := NewFactory()
	cfg := loadConfig(t, testSettings(t.TempDir()), map[string]any{"log": map[string]any{"min_free_disk_mib": 1024}})
	e, err := f.CreateLogs(context.Background(), exporterSettings(t, f), cfg)
	require.NoError(t, err)
	disk := &freeFS{}
	disk.free.Store(1000 * mib)
	e.(logsExporter).core.fs = disk
	host := newTestHost()
	require.NoError(t, e.Start(context.Background(), host))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	require.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, host.seen())
	require.ErrorIs(t, e.(logsExporter).lane.LogCondition(), segment.ErrFull)
	require.ErrorIs(t, e.ConsumeLogs(context.Background(), makeLogs("x", 1)), segment.ErrFull)
	assert.Len(t, host.seen(), 1)

	disk.free.Store(2000 * mib)
	require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs("x", 1)))
	require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs("x", 1)))
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, host.seen())
}
