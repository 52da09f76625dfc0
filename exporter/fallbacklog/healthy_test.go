package fallbacklog

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// countingFS counts the calls of the file system.
type countingFS struct {
	segment.OS
	mu    sync.Mutex
	calls map[string]int
}

func (f *countingFS) count(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[call]++
}

// since returns the calls since its previous call, by name.
func (f *countingFS) since() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = map[string]int{}
	return calls
}

func (f *countingFS) OpenFile(name string, flag int, perm fs.FileMode) (segment.File, error) {
	f.count("open")
	file, err := f.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return countingFile{file, f}, nil
}

func (f *countingFS) Mkdir(name string, perm fs.FileMode) error {
	f.count("mkdir")
	return f.OS.Mkdir(name, perm)
}

func (f *countingFS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.count("readdir")
	return f.OS.ReadDir(name)
}

func (f *countingFS) Remove(name string) error {
	f.count("remove")
	return f.OS.Remove(name)
}

func (f *countingFS) Stat(name string) (fs.FileInfo, error) {
	f.count("stat")
	return f.OS.Stat(name)
}

func (f *countingFS) SyncDir(name string) error {
	f.count("sync")
	return f.OS.SyncDir(name)
}

func (f *countingFS) Free(dir string) (int64, error) {
	f.count("free")
	return f.OS.Free(dir)
}

type countingFile struct {
	segment.File
	fs *countingFS
}

func (f countingFile) Write(p []byte) (int, error) {
	f.fs.count("write")
	return f.File.Write(p)
}

func (f countingFile) WriteAt(p []byte, at int64) (int, error) {
	f.fs.count("write")
	return f.File.WriteAt(p, at)
}

func (f countingFile) ReadAt(p []byte, at int64) (int, error) {
	f.fs.count("read")
	return f.File.ReadAt(p, at)
}

func (f countingFile) Sync() error {
	f.fs.count("sync")
	return f.File.Sync()
}

func (f countingFile) Truncate(size int64) error {
	f.fs.count("truncate")
	return f.File.Truncate(size)
}

func (f countingFile) Stat() (fs.FileInfo, error) {
	f.fs.count("stat")
	return f.File.Stat()
}

// While the downstream accepts the data nothing is opened, read, written or synced, neither for a batch nor in an hour. Once
// per second stat calls check that the files still exist.
func TestHealthyPathTouchesNoDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		disk := &countingFS{calls: map[string]int{}}
		f := NewFactory()
		// The settings are the defaults, including min_free_disk_mib.
		cfg := loadConfig(t, map[string]any{
			"exporter": map[string]any{"null": nil}, "log": map[string]any{"directory": dir, "min_free_disk_mib": 1},
		})
		e, err := f.CreateMetrics(context.Background(), exporterSettings(t, f), cfg)
		require.NoError(t, err)
		e.(metricsExporter).core.fs = disk
		require.NoError(t, e.Start(context.Background(), newTestHost(nullFactory())))
		t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
		synctest.Wait()
		require.Positive(t, disk.since()["write"], "the cursor's file is made at Start, and counted")
		time.Sleep(orphansAfter + time.Millisecond) // the only search for orphans
		synctest.Wait()
		disk.since()
		before := filesOf(t, dir)

		for range 1000 {
			require.NoError(t, e.ConsumeMetrics(context.Background(), makeMetrics("m", 100)))
		}
		synctest.Wait()
		assert.Empty(t, disk.since(), "for a batch")
		const seconds = 3600
		time.Sleep(seconds*time.Second + time.Millisecond)
		synctest.Wait()
		calls := disk.since()
		looks := calls["stat"]
		delete(calls, "stat")
		assert.Empty(t, calls, "in an hour")
		// For the cursors of log and dead letter the name and the open file are checked; for the lock and the request only the
		// name.
		assert.LessOrEqual(t, looks, 6*seconds)
		assert.Equal(t, before, filesOf(t, dir))
	})
}

// filesOf returns the size and the modification time of everything in a directory.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		files[path] = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		return nil
	}))
	require.NotEmpty(t, files)
	return files
}
