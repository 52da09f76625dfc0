package fallbacklog

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// stuckFS removes no file while it is stuck.
type stuckFS struct {
	segment.OS
	stuck atomic.Bool
}

func (f *stuckFS) Remove(name string) error {
	if f.stuck.Load() {
		return syscall.EPERM
	}
	return f.OS.Remove(name)
}

// Operations that the disk refused while the log drained are repeated until they succeed, without another outage or another
// batch.
func TestDrainedLogGoesWhenTheDiskLetsIt(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	dir := t.TempDir()
	f := NewFactory()
	e, err := f.CreateLogs(context.Background(), exporterSettings(t, f), loadConfig(t, testSettings(dir), grpcTo(b)))
	require.NoError(t, err)
	disk := &stuckFS{}
	e.(logsExporter).core.fs = disk
	require.NoError(t, e.Start(context.Background(), newTestHost()))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs("x", 3)))

	disk.stuck.Store(true)
	b.set(nil)
	log := e.(logsExporter).lane.log
	eventually(t, func() bool { return len(b.names()) == 3 && log.Empty() }, "the log drains")
	assert.Equal(t, 1, log.Stats().Segments)
	disk.stuck.Store(false)
	eventually(t, func() bool { return log.Stats().Segments == 0 }, "the drained segment goes")
}
