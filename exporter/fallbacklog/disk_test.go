package fallbacklog

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// startLogging is startLogsOn with the log lines.
func startLogging(t *testing.T, cfg *Config, change func(*core)) (exporter.Logs, *observer.ObservedLogs) {
	t.Helper()
	f := NewFactory()
	seen, lines := observer.New(zap.DebugLevel)
	set := exporterSettings(t, f)
	set.Logger = zap.New(seen)
	e, err := f.CreateLogs(context.Background(), set, cfg)
	require.NoError(t, err)
	change(e.(logsExporter).core)
	require.NoError(t, e.Start(context.Background(), newTestHost()))
	return e, lines
}

// readOnlyFS is a disk that is read-only until a test changes that.
type readOnlyFS struct {
	segment.OS
	on atomic.Bool
}

func (f *readOnlyFS) OpenFile(name string, flag int, perm fs.FileMode) (segment.File, error) {
	if f.on.Load() && flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		return nil, syscall.EROFS
	}
	return f.OS.OpenFile(name, flag, perm)
}

func (f *readOnlyFS) Mkdir(name string, perm fs.FileMode) error {
	if _, err := os.Stat(name); err == nil {
		return syscall.EEXIST
	}
	if f.on.Load() {
		return syscall.EROFS
	}
	return f.OS.Mkdir(name, perm)
}

func (f *readOnlyFS) Remove(name string) error {
	if f.on.Load() {
		return syscall.EROFS
	}
	return f.OS.Remove(name)
}

func (f *readOnlyFS) Lock(name string) (segment.Lock, error) {
	if _, err := os.Stat(name); f.on.Load() && err != nil {
		return nil, err
	}
	return f.OS.Lock(name)
}

// A component on a disk that is read-only at start is degraded and replays the log. When the disk is writable it logs again.
func TestReadOnlyDiskAtStart(t *testing.T) {
	for name, there := range map[string]bool{"with a log": true, "without a directory": false} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			dir := filepath.Join(t.TempDir(), "log")
			cfg := loadConfig(t, testSettings(dir), grpcTo(b))
			disk := &readOnlyFS{}
			if there {
				b.refuse(codes.Unavailable)
				e := startLogs(t, cfg, func(*core) {})
				require.NoError(t, e.ConsumeLogs(t.Context(), makeLogs("before", 1)))
				require.NoError(t, e.Shutdown(t.Context()))
				b.set(nil)
			}
			disk.on.Store(true)
			e, _ := startLogging(t, cfg, func(c *core) { c.fs = disk })
			l := e.(logsExporter).lane
			require.Error(t, l.LogCondition())
			if there {
				eventually(t, func() bool { return len(b.names()) == 1 }, "the log is replayed")
			}
			b.refuse(codes.Unavailable)
			require.Error(t, e.ConsumeLogs(t.Context(), makeLogs("refused", 1)))
			disk.on.Store(false)
			eventually(t, func() bool { return l.LogCondition() == nil }, "the log takes data again")
			require.NoError(t, e.ConsumeLogs(t.Context(), makeLogs("after", 1)))
			b.set(nil)
			eventually(t, func() bool { return b.names()["after/0"] == 1 }, "and it is delivered")
			require.NoError(t, e.Shutdown(t.Context()))
		})
	}
}

func TestDirectoriesThatAreLinks(t *testing.T) {
	base := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(base, "real", "fallbacklog", "elsewhere"), 0o700))
	require.NoError(t, os.Symlink("real", filepath.Join(base, "link")))
	start := func(dir string) error {
		e, err := NewFactory().CreateLogs(t.Context(), exporterSettings(t, NewFactory()), loadConfig(t, testSettings(dir)))
		require.NoError(t, err)
		err = e.Start(t.Context(), newTestHost())
		require.NoError(t, e.Shutdown(t.Context()))
		return err
	}
	require.ErrorContains(t, start(filepath.Join(base, "link")), "log::directory: must not be a symbolic link (got "+filepath.Join(base, "link")+")")
	signal := filepath.Join(base, "real", "fallbacklog", "logs")
	require.NoError(t, os.Symlink("elsewhere", signal))
	require.ErrorContains(t, start(filepath.Join(base, "real")), "log::directory: must not be a symbolic link (got "+signal)
}

// smallFS is a file system of 1 MiB.
type smallFS struct{ segment.OS }

func (smallFS) Volume(string) (segment.Volume, error) {
	return segment.Volume{ID: 1 << 63, Bytes: 1 << 20}, nil
}

// A start warns about problems of the log's directory.
func TestWarningsAboutTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chmod(dir, 0o777)) //nolint:gosec // that is what the warning is about
	e, lines := startLogging(t, loadConfig(t, testSettings(dir)), func(c *core) { c.fs = smallFS{} })
	assert.Equal(t, 1, lines.FilterMessageSnippet("writable for everybody").Len())
	warnings := lines.FilterMessageSnippet("less than the logs and dead letters on it may use").All()
	require.Len(t, warnings, 1)
	assert.EqualValues(t, 1<<20, warnings[0].ContextMap()["bytes"])
	require.NoError(t, e.Shutdown(t.Context()))

	require.NoError(t, os.Chmod(dir, 0o700)) //nolint:gosec // a directory
	e, lines = startLogging(t, loadConfig(t, testSettings(dir)), func(*core) {})
	assert.Zero(t, lines.FilterMessageSnippet("writable for everybody").Len())
	require.NoError(t, e.Shutdown(t.Context()))
}

// frozenFS is a disk whose writes hang while it is frozen.
type frozenFS struct {
	segment.OS
	frozen atomic.Bool
	thaw   chan struct{}
}

func (f *frozenFS) wait() {
	if f.frozen.Load() {
		<-f.thaw
	}
}

func (f *frozenFS) OpenFile(name string, flag int, perm fs.FileMode) (segment.File, error) {
	if flag&os.O_CREATE != 0 {
		f.wait()
	}
	file, err := f.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &frozenFile{file, f}, nil
}

func (f *frozenFS) Remove(name string) error {
	f.wait()
	return f.OS.Remove(name)
}

type frozenFile struct {
	segment.File
	fs *frozenFS
}

func (f *frozenFile) Write(p []byte) (int, error) {
	f.fs.wait()
	return f.File.Write(p)
}

func (f *frozenFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.wait()
	return f.File.WriteAt(p, off)
}

// shutdownWhileFrozen shuts an exporter down in bounded time, and then thaws its disk.
func shutdownWhileFrozen(t *testing.T, e component.Component, disk *frozenFS) {
	t.Helper()
	began := time.Now()
	require.ErrorIs(t, e.Shutdown(t.Context()), segment.ErrStalled)
	assert.LessOrEqual(t, time.Since(began), 8*time.Second)
	close(disk.thaw) // the kernel would otherwise keep the process
	synctest.Wait()
}

// If the disk hangs a caller gets a retryable error within the budget, log_degraded is 1 after 1 s, and Shutdown returns in
// time.
func TestDiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &frozenFS{thaw: make(chan struct{})}
		cfg := loadConfig(t, testSettings(t.TempDir()), map[string]any{"budget": "3s"})
		e := startLogs(t, cfg, func(c *core) { c.fs = disk })
		require.NoError(t, e.ConsumeLogs(t.Context(), makeLogs("before", 1)))
		disk.frozen.Store(true)
		l := e.(logsExporter).lane
		answered := make(chan error)
		began := time.Now()
		go func() { answered <- e.ConsumeLogs(t.Context(), makeLogs("frozen", 1)) }()
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		assert.False(t, l.stalled())
		time.Sleep(200 * time.Millisecond)
		assert.True(t, l.stalled())
		err := <-answered
		require.ErrorIs(t, err, segment.ErrStalled)
		assert.False(t, consumererror.IsPermanent(err))
		assert.LessOrEqual(t, time.Since(began), 3*time.Second+100*time.Millisecond)
		shutdownWhileFrozen(t, e, disk)
	})
}

// A caller's own deadline counts if it is earlier than the budget.
func TestDiskThatHangsAndADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &frozenFS{thaw: make(chan struct{})}
		e := startLogs(t, loadConfig(t, testSettings(t.TempDir()), map[string]any{"budget": "30s"}), func(c *core) { c.fs = disk })
		disk.frozen.Store(true)
		began := time.Now()
		for range 2 { // the first one's write hangs; the second one waits for it
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			require.ErrorIs(t, e.ConsumeLogs(ctx, makeLogs("frozen", 1)), segment.ErrStalled)
			cancel()
		}
		assert.Equal(t, 4*time.Second, time.Since(began))
		close(disk.thaw)
		synctest.Wait()
		require.NoError(t, e.ConsumeLogs(t.Context(), makeLogs("thawed", 1)))
		require.NoError(t, e.Shutdown(t.Context()))
		assert.Equal(t, []string{"thawed/0"}, unread(t, e.(logsExporter).core.cfg.Log.Directory), "the write that hung is settled as rejected")
	})
}

// With drop_oldest, a disk that hangs while room is made delays neither a caller nor Shutdown too long.
func TestDiskThatHangsInADrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &frozenFS{thaw: make(chan struct{})}
		e := startLogs(t, loadConfig(t, testSettings(t.TempDir()), map[string]any{"budget": "3s"},
			logSettings(map[string]any{"max_disk_mib": 1, "on_full": "drop_oldest"})), func(c *core) { c.fs = disk })
		large := strings.Repeat("x", 300_000)
		for range 5 { // the fifth makes room by dropping a segment
			require.NoError(t, e.ConsumeLogs(t.Context(), makeLogs(large, 1)))
		}
		disk.frozen.Store(true)
		began := time.Now()
		answers := make(chan error)
		for range 5 {
			go func() { answers <- e.ConsumeLogs(t.Context(), makeLogs(large, 1)) }()
		}
		for range 5 {
			err := <-answers
			require.ErrorIs(t, err, segment.ErrStalled)
			assert.False(t, consumererror.IsPermanent(err))
		}
		assert.LessOrEqual(t, time.Since(began), 3*time.Second+100*time.Millisecond)
		shutdownWhileFrozen(t, e, disk)
	})
}

// Data that no component sends is logged with its size and the command that sends it, and is in a gauge.
func TestOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cfg := loadConfig(t, testSettings(dir))
		e := startLogs(t, cfg, func(*core) {})
		require.NoError(t, e.ConsumeLogs(t.Context(), makeLogs("orphan", 1)))
		require.NoError(t, e.Shutdown(t.Context()))
		require.NoError(t, os.Rename(filepath.Join(dir, "fallbacklog"), filepath.Join(dir, "fallbacklog%2Fold")))
		require.NoError(t, os.CopyFS(filepath.Join(dir, "fallbacklog", "traces"), os.DirFS(filepath.Join(dir, "fallbacklog%2Fold", "logs"))))

		e, lines := startLogging(t, cfg, func(*core) {})
		time.Sleep(orphansAfter + time.Second)
		synctest.Wait()
		warnings := lines.FilterMessageSnippet("no component sends").All()
		require.Len(t, warnings, 2)
		var sum int64
		for k, command := range []string{"-component fallbacklog -signal traces " + dir, "-component fallbacklog/old -signal logs " + dir} {
			fields := warnings[k].ContextMap()
			assert.Contains(t, fields["command"], command)
			sum += fields["bytes"].(int64)
		}
		assert.Positive(t, sum)
		assert.Equal(t, sum, e.(logsExporter).core.orphans.bytes.Load())
		require.NoError(t, e.Shutdown(t.Context()))
	})
}
