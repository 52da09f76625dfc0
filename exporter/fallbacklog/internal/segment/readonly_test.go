package segment

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readOnlyFS is a disk that is read-only until a test changes that.
type readOnlyFS struct {
	OS
	on atomic.Bool
}

func (f *readOnlyFS) err() error {
	if f.on.Load() {
		return syscall.EROFS
	}
	return nil
}

func (f *readOnlyFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if err := f.err(); err != nil && flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		return nil, err
	}
	return f.OS.OpenFile(name, flag, perm)
}

func (f *readOnlyFS) Mkdir(name string, perm fs.FileMode) error {
	if _, err := os.Stat(name); err == nil {
		return syscall.EEXIST
	}
	if err := f.err(); err != nil {
		return err
	}
	return f.OS.Mkdir(name, perm)
}

func (f *readOnlyFS) Remove(name string) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.OS.Remove(name)
}

// A log on a disk that is read-only at start is read. It accepts records, and saves its cursor, when the disk is writable.
func TestReadOnlyDiskAtStart(t *testing.T) {
	for _, there := range []bool{true, false} {
		opt := options(filepath.Join(t.TempDir(), "log"))
		fsys := &readOnlyFS{}
		opt.FS = fsys
		var want []string
		if there {
			l := open(t, opt)
			appendAll(t, l, "one", "two")
			require.NoError(t, l.Close())
			f, err := os.OpenFile(files(t, opt.Dir)[0], os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.Write(frame("torn")[:10])
			require.NoError(t, err)
			require.NoError(t, f.Close())
			want = []string{"one", "two"}
			opt.Budget = &Budget{Max: 1 << 30}
		}
		fsys.on.Store(true)
		l := open(t, opt)
		require.ErrorIs(t, l.Append(frame("three")), syscall.EROFS)
		require.ErrorIs(t, l.CheckAppend(1), syscall.EROFS)
		var got []string
		for range want {
			e, ok, err := l.Next()
			require.NoError(t, err)
			require.True(t, ok)
			got = append(got, string(e.Record))
			_ = l.Done(e) // the cursor cannot be saved
		}
		assert.Equal(t, want, got)
		if there {
			require.ErrorIs(t, l.Maintain(), syscall.EROFS)
		}

		fsys.on.Store(false)
		require.NoError(t, l.Maintain())
		assert.Empty(t, files(t, opt.Dir), "what was dealt with goes")
		appendAll(t, l, "four")
		require.NoError(t, l.Close())
		opt.Budget = &Budget{Max: 1 << 30}
		assert.Equal(t, []string{"four"}, drain(t, open(t, opt), true))
	}
}

// Symbolic links are refused, because a user who may create one chooses the file that the log overwrites.
func TestSymbolicLinksAreRefused(t *testing.T) {
	base := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(base, "elsewhere"), dirMode))
	require.NoError(t, os.Symlink("elsewhere", filepath.Join(base, "log")))
	_, err := Open(options(filepath.Join(base, "log")))
	require.ErrorIs(t, err, ErrLink)
	require.NoError(t, os.Symlink(filepath.Join(base, "target"), filepath.Join(base, "elsewhere", cursorName)))
	_, err = Open(options(filepath.Join(base, "elsewhere")))
	require.ErrorIs(t, err, ErrLink)
	assert.NoFileExists(t, filepath.Join(base, "target"))
}
