package segment

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
	opt, fsys := faultyOptions(t)
	opt.MaxSegmentBytes = 60
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
	opt, fsys := faultyOptions(t)
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
	opt, fsys := faultyOptions(t)
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
	opt, fsys := faultyOptions(t)
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
	opt, fsys := faultyOptions(t)
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
