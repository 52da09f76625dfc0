package segment

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A segment is deleted only when the durable cursor covers it.
func TestCursorIsDurableBeforeASegmentGoes(t *testing.T) {
	opt, fsys := faultyOptions(t)
	opt.MaxSegmentBytes = 60
	l := open(t, opt)
	appendAll(t, l, numbered(12)...)
	removed := 0
	fsys.fail = func(op, name string) error {
		if op == "remove" {
			store, c, damaged, err := openCursor(&dir{fs: OS{}, path: opt.Dir})
			require.NoError(t, err)
			require.NoError(t, store.close())
			require.False(t, damaged)
			n, ok := parseName(name, testKind)
			require.True(t, ok)
			require.Less(t, n.number, c.Segment)
			require.Equal(t, []string{"writeat cursor", "sync cursor"}, lastOthers(fsys.ops, "remove", 2))
			removed++
		}
		return nil
	}
	segments := len(files(t, opt.Dir))
	assert.Len(t, drain(t, l, true), 12)
	assert.Empty(t, files(t, opt.Dir))
	assert.Equal(t, segments, removed)
}

// lastOthers returns the last n operations that are not op.
func lastOthers(ops []string, op string, n int) (last []string) {
	for i := len(ops) - 1; i >= 0 && len(last) < n; i-- {
		if !strings.HasPrefix(ops[i], op+" ") {
			last = append([]string{ops[i]}, last...)
		}
	}
	return last
}

// Acknowledged records survive a power loss under their name: the file is synced, and before it every directory that was
// created for it.
func TestNamesAreDurableBeforeTheFirstAppendReturns(t *testing.T) {
	base := t.TempDir()
	opt := options(filepath.Join(base, "a", "b"))
	opt.MaxSegmentBytes = 20 // one record
	opt.Now = func() time.Time { return time.Unix(0, 0) }
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	assert.Equal(t, []string{
		"mkdir a", "syncdir " + filepath.Base(base), "mkdir b", "syncdir a",
		"open cursor", "read cursor", "writeat cursor", "sync cursor", "syncdir b",
	}, fsys.ops)
	for n := range uint64(2) {
		fsys.ops = nil
		appendAll(t, l, "record")
		name := name{number: n + 1, created: opt.Now(), kind: testKind}.String()
		assert.Equal(t, []string{"open " + name, "syncdir b", "write " + name, "sync " + name}, fsys.ops)
	}
	require.NoError(t, l.Close())

	// A crash may have come between the creation of a directory and its sync.
	fsys.ops = nil
	opt.Budget = &Budget{Max: 1 << 30}
	open(t, opt)
	assert.Equal(t, "syncdir a", fsys.ops[0])
}

func TestMakeDir(t *testing.T) {
	base := t.TempDir()
	for _, failing := range []string{"a", "b", "c"} {
		fsys := &faultyFS{fail: func(op, name string) error {
			if op == "syncdir" && name == failing {
				return syscall.EIO
			}
			return nil
		}}
		require.ErrorIs(t, MakeDir(fsys, filepath.Join(base, failing, "a", "b", "c", "d")), syscall.EIO)
	}
	require.NoError(t, os.WriteFile(filepath.Join(base, "file"), nil, FileMode))
	require.ErrorIs(t, MakeDir(OS{}, filepath.Join(base, "file")), syscall.ENOTDIR)
	require.ErrorIs(t, MakeDir(OS{}, filepath.Join(base, "file", "x")), syscall.ENOTDIR)
	require.NoError(t, MakeDir(OS{}, base))
	require.Error(t, MakeDir(OS{}, ""))
}
