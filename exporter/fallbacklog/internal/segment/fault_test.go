package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// faultyFS is the operating system's file system with operations that fail if fail returns an error.
type faultyFS struct {
	OS
	mu     sync.Mutex
	fail   func(op, name string) error // nil: nothing fails
	onSync func() error
	syncs  int
	ops    []string // each with the base name of its file
	full   bool     // no free block: existing files can be overwritten and removed, nothing grows
}

func (f *faultyFS) setFull(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

// grows fails if the disk is full.
func (f *faultyFS) grows() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return syscall.ENOSPC
	}
	return nil
}

func (f *faultyFS) check(op, name string) error {
	f.mu.Lock()
	f.ops = append(f.ops, op+" "+filepath.Base(name))
	fail := f.fail
	f.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(op, filepath.Base(name))
}

func (f *faultyFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if err := f.check("open", name); err != nil {
		return nil, err
	}
	if _, err := os.Stat(name); flag&os.O_CREATE != 0 && err != nil {
		if err := f.grows(); err != nil {
			return nil, err
		}
	}
	file, err := f.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f, name}, nil
}

func (f *faultyFS) Remove(name string) error {
	if err := f.check("remove", name); err != nil {
		return err
	}
	return f.OS.Remove(name)
}

func (f *faultyFS) Mkdir(name string, perm fs.FileMode) error {
	if err := f.OS.Mkdir(name, perm); err != nil {
		return err
	}
	return f.check("mkdir", name)
}

func (f *faultyFS) SyncDir(name string) error {
	return f.check("syncdir", name)
}

type faultyFile struct {
	File
	fs   *faultyFS
	name string
}

// Write writes half of the data before it fails, like a full disk.
func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.fs.check("write", f.name); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	if err := f.fs.grows(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// WriteAt writes half of the data before it fails.
func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.check("writeat", f.name); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	if fi, err := os.Stat(f.name); err != nil || off+int64(len(p)) > fi.Size() {
		if err := f.fs.grows(); err != nil {
			return 0, err
		}
	}
	return f.File.WriteAt(p, off)
}

func (f *faultyFile) Sync() error {
	if f.fs.onSync != nil && filepath.Base(f.name) != cursorName {
		f.fs.syncs++
		if err := f.fs.onSync(); err != nil {
			return err
		}
	}
	return f.fs.check("sync", f.name) // no test here loses power, so a real sync would only cost time
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.fs.check("truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.check("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// Any operation fails once, at any place of a run of appends and reads. The log does not panic, acknowledged records are read
// in order, in this process or the next, and ENOSPC is an ErrFull.
func TestOneFaultAnywhere(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		for _, op := range []string{"open", "write", "sync", "syncdir", "truncate", "writeat", "remove", "read"} {
			for at := range 200 {
				fired := runWithFault(t, cause, op, at)
				if !fired {
					break
				}
			}
		}
	}
}

func runWithFault(t *testing.T, cause error, op string, at int) (fired bool) {
	t.Helper()
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	fsys := &faultyFS{}
	opt.FS = fsys
	where := fmt.Sprintf("%s %d: %v", op, at, cause)
	l, err := Open(opt)
	require.NoError(t, err, where)
	fsys.fail = func(o, _ string) error {
		fsys.mu.Lock()
		defer fsys.mu.Unlock()
		if op == "truncate" && o == "write" && !fired && at == 0 {
			return cause // the write fails, and so does cutBack
		}
		if o != op && (op != "truncate" || o != "write") || fired {
			return nil
		}
		if o == op && (op == "truncate" || at == 0) {
			fired = true
			return cause
		}
		at--
		return nil
	}
	var acked []string
	read := map[string]bool{}
	readSome := func(n int) {
		for range n {
			e, ok, err := l.Next()
			if err != nil || !ok {
				return
			}
			read[string(e.Record)] = true
			_ = l.Done(e) // the fault may hit this call; the next one repairs it
		}
	}
	for i := range 12 {
		s := fmt.Sprintf("record %02d", i)
		err := l.Append(frame(s))
		if err == nil {
			acked = append(acked, s)
		} else if errors.Is(cause, syscall.ENOSPC) {
			require.ErrorIs(t, err, ErrFull, where)
		}
		if i%5 == 4 {
			readSome(3)
		}
	}
	_ = l.Close() // the fault may hit this call, too
	require.GreaterOrEqual(t, len(acked), 11, where)

	opt.FS, opt.Budget = &faultyFS{}, &Budget{Max: 1 << 30}
	l, err = Open(opt)
	require.NoError(t, err, where)
	last := ""
	for _, r := range drain(t, l, true) {
		require.LessOrEqual(t, last, r, where+": in order")
		last = r
		read[r] = true
	}
	require.NoError(t, l.Close())
	for _, r := range acked {
		require.True(t, read[r], "%s: %s was acknowledged", where, r)
	}
	return fired
}

// After a failed sync the kernel may report success for pages that it has dropped. The old file accepts nothing more, and the
// record goes to a new one.
func TestFailedSyncIsNotTrusted(t *testing.T) {
	opt := options(t.TempDir())
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, "one")
	failed := ""
	fsys.fail = func(op, name string) error {
		if op == "sync" && failed == "" {
			failed = name
			return syscall.EIO
		}
		if op == "sync" || op == "write" {
			require.NotEqual(t, failed, name, "the file was used after its sync failed")
		}
		return nil
	}
	appendAll(t, l, "two", "three")
	require.NotEmpty(t, failed)
	assert.Len(t, files(t, opt.Dir), 2)
	assert.Equal(t, []string{"one", "two", "three"}, drain(t, l, true))
}

func TestSyncThatKeepsFailingRefuses(t *testing.T) {
	opt := options(t.TempDir())
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, "one")
	fsys.fail = func(op, _ string) error {
		if op == "sync" {
			return syscall.EIO
		}
		return nil
	}
	require.ErrorIs(t, l.Append(frame("two")), syscall.EIO)
	fsys.fail = nil
	appendAll(t, l, "three")
	assert.Equal(t, []string{"one", "three"}, drain(t, l, true), "what was refused is not there")
	assert.Zero(t, opt.Budget.Used())
}

// A failed write is cut back, so that the file stays readable.
func TestFailedWriteIsCutBack(t *testing.T) {
	opt := options(t.TempDir())
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, "one")
	fsys.fail = func(op, _ string) error {
		if op == "write" {
			return syscall.ENOSPC
		}
		return nil
	}
	require.ErrorIs(t, l.Append(frame("two")), ErrFull)
	fsys.fail = nil
	fi, err := fsys.ReadDir(opt.Dir)
	require.NoError(t, err)
	st, err := fi[0].Info()
	require.NoError(t, err)
	assert.EqualValues(t, len(frame("one")), st.Size())
	appendAll(t, l, "three")
	assert.Equal(t, []string{"one", "three"}, drain(t, l, true))
}

func TestIntervalSyncFailureWritesAgain(t *testing.T) {
	opt := options(t.TempDir())
	fsys := &faultyFS{}
	opt.FS = fsys
	opt.Sync, opt.SyncInterval = SyncInterval, 1<<40
	l := open(t, opt)
	appendAll(t, l, "one", "two")
	failed := false
	fsys.fail = func(op, _ string) error {
		if op == "sync" && !failed {
			failed = true
			return syscall.EIO
		}
		return nil
	}
	require.NoError(t, l.writer.call(func() error { l.writer.flush(); return nil }))
	require.True(t, failed)
	assert.Equal(t, []string{"one", "two", "one", "two"}, drain(t, l, true), "twice rather than not at all")
}

// A segment is deleted only when the durable cursor covers it.
func TestCursorIsDurableBeforeASegmentGoes(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	fsys := &faultyFS{}
	opt.FS = fsys
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

// A disk without a free block accepts no record, but the log on it shrinks, also after a restart: its records are read, done,
// deleted, and dropped on request.
func TestDiskStaysFull(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, numbered(20)...)
	before := l.Stats().Segments
	require.Greater(t, before, 5)
	fsys.setFull(true)
	require.ErrorIs(t, l.Append(frame("more")), ErrFull)

	for i := range 8 {
		e, ok, err := l.Next()
		require.NoError(t, err)
		require.True(t, ok)
		assert.Equal(t, numbered(20)[i], string(e.Record))
		require.NoError(t, l.Done(e))
	}
	assert.Less(t, l.Stats().Segments, before)
	assert.Len(t, files(t, opt.Dir), l.Stats().Segments)

	var dropped []string
	used := opt.Budget.Used()
	made, err := l.DropOldest(func(r []byte) { dropped = append(dropped, string(r)) })
	require.NoError(t, err)
	require.True(t, made)
	assert.Less(t, opt.Budget.Used(), used)
	require.NoError(t, l.Close())

	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	assert.Equal(t, numbered(20)[8:], append(dropped, drain(t, l, true)...))
	assert.Empty(t, files(t, opt.Dir))
	assert.Zero(t, opt.Budget.Used())

	fsys.setFull(false)
	appendAll(t, l, "again")
	assert.Equal(t, []string{"again"}, drain(t, l, true))
}

// Maintain saves a cursor that could not be saved and removes a file that could not be removed, without another record.
func TestTendMakesUpForFailures(t *testing.T) {
	for _, op := range []string{"writeat", "sync", "remove"} {
		opt := options(t.TempDir())
		opt.MaxSegmentBytes = 60
		fsys := &faultyFS{}
		opt.FS = fsys
		var reported int
		opt.OnError = func(error) { reported++ }
		l := open(t, opt)
		appendAll(t, l, numbered(9)...)
		before := len(files(t, opt.Dir))
		fsys.fail = failing(op, syscall.EPERM)
		for range 9 {
			e, ok, err := l.Next()
			require.NoError(t, err)
			require.True(t, ok)
			if err := l.Done(e); op != "remove" && !e.End.Before(Position{2, 0}) {
				require.ErrorIs(t, err, syscall.EPERM)
			}
		}
		tended := l.Maintain()
		if op == "remove" {
			require.NoError(t, tended)
			assert.Positive(t, reported)
		} else {
			require.ErrorIs(t, tended, syscall.EPERM)
		}
		assert.Len(t, files(t, opt.Dir), before)
		fsys.fail = nil
		require.NoError(t, l.Maintain())
		assert.Empty(t, files(t, opt.Dir), op)
		assert.Zero(t, opt.Budget.Used())
		fsys.ops = nil
		require.NoError(t, l.Maintain())
		assert.Empty(t, fsys.ops, "nothing to make up for")
		require.NoError(t, l.Close())
		require.NoError(t, l.Maintain())
	}
}

// A drop that could not be made durable has not happened.
func TestDropOldestWithoutACursorDropsNothing(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, numbered(9)...)
	fsys.fail = failing("writeat", syscall.EIO)
	made, err := l.DropOldest(func([]byte) {})
	require.ErrorIs(t, err, syscall.EIO)
	assert.False(t, made)
	fsys.fail = nil
	assert.Equal(t, numbered(9), drain(t, l, true))
}

// A file that cannot be removed keeps its room, but its records are not returned again, and a second drop counts nothing twice.
func TestDropOldestWhoseFileStays(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, numbered(9)...)
	used := opt.Budget.Used()
	fsys.fail = failing("remove", syscall.EIO)
	var dropped []string
	visit := func(r []byte) { dropped = append(dropped, string(r)) }
	made, err := l.DropOldest(visit)
	require.ErrorIs(t, err, syscall.EIO)
	assert.True(t, made, "the records are gone")
	assert.Equal(t, used, opt.Budget.Used(), "their room is not")
	made, err = l.DropOldest(visit)
	require.ErrorIs(t, err, syscall.EIO)
	assert.False(t, made)
	require.NoError(t, l.Close())

	fsys.fail = nil
	opt.Budget = &Budget{Max: 1 << 30}
	left, leftBytes := 0, int64(0)
	opt.OnDone = func(segments int, bytes int64) { left, leftBytes = segments, bytes }
	l = open(t, opt)
	assert.Equal(t, 1, left)
	assert.Positive(t, leftBytes)
	assert.Equal(t, used, leftBytes+opt.Budget.Used())
	assert.Equal(t, numbered(9), append(dropped, drain(t, l, true)...))
}

func failing(which string, err error) func(op, name string) error {
	return func(op, _ string) error {
		if op == which {
			return err
		}
		return nil
	}
}
