package segment

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// life is the life of a log from a start to a power loss, and the answers that its users got.
type life struct {
	fs     *crashFS
	closed bool            // Close has returned without an error
	tried  map[string]bool // records that Append was called with
	kept   []string        // records that Append has accepted, in their order
	done   map[string]bool // records that Done was called with
	gone   map[string]bool // records that DropOldest may have dropped
}

// live runs a log until its end, or until the power fails in an operation. The same seed gives the same operations.
func live(dir string, seed uint64, mode SyncMode, drops bool, fsys *crashFS) *life {
	l := &life{fs: fsys, tried: map[string]bool{}, done: map[string]bool{}, gone: map[string]bool{}}
	random := rand.New(rand.NewPCG(seed, 1))
	opt := options(filepath.Join(dir, "log"))
	opt.FS, opt.Sync, opt.MaxSegmentBytes = fsys, mode, 150
	opt.NewestFirst = drops && seed%2 == 1
	now := time.Unix(0, 0)
	opt.Now = func() time.Time { now = now.Add(70 * time.Millisecond); return now } // so that the cursor is saved sometimes
	log, err := Open(opt)
	if err != nil {
		return l
	}
	var read []Entry
	for n := range 60 {
		record := fmt.Sprintf("record %d %0*d", n, random.IntN(40), 0)
		l.tried[record] = true
		if log.Append(frame(record)) == nil {
			l.kept = append(l.kept, record)
		}
		if random.IntN(3) > 0 {
			if e, ok, err := log.Next(); err == nil && ok {
				read = append(read, e)
			}
		}
		if len(read) > 3 || len(read) > 0 && random.IntN(2) == 0 {
			k := random.IntN(len(read)) // in any order
			l.done[string(read[k].Record)] = true
			_ = log.Done(read[k]) // a failed save is part of the test
			read = append(read[:k], read[k+1:]...)
		}
		if random.IntN(10) == 0 {
			_ = log.Maintain() // a failure is part of the test
		}
		if drops && n > 20 && random.IntN(12) == 0 {
			for _, e := range read {
				if files := log.segments.all(); len(files) > 0 && e.Start.Segment == files[0].number {
					l.gone[string(e.Record)] = true
				}
			}
			_, _ = log.DropOldest(func(r []byte) { l.gone[string(r)] = true }) // a failure is part of the test
		}
	}
	l.closed = log.Close() == nil
	return l
}

// wrong returns the broken promises of a log that is opened after the power loss. It is empty if there are none.
func (l *life) wrong(t *testing.T, dir string, mode SyncMode) (found []string) {
	t.Helper()
	opt := options(filepath.Join(dir, "log"))
	opt.FS, opt.Sync, opt.MaxSegmentBytes = &faultyFS{}, mode, 150 // without real syncs: the power fails only once
	log, err := Open(opt)
	require.NoError(t, err, "recovery works")
	const after = "after the power loss"
	require.NoError(t, log.Append(frame(after)))
	var read []string
	at := map[string]int{}
	for _, r := range drain(t, log, true) {
		if r == "" {
			continue // the header of a frame followed by zeros, which the test's format parses as an empty record
		}
		at[r] = len(read)
		read = append(read, r)
		if !l.tried[r] && r != after {
			found = append(found, "made up: "+r)
		}
	}
	require.NoError(t, log.Close())
	if _, ok := at[after]; !ok {
		found = append(found, "lost: "+after)
	}
	if mode != SyncBatch {
		return found
	}
	last := -1
	for _, r := range l.kept {
		k, there := at[r]
		switch {
		case !there && !l.done[r] && !l.gone[r]:
			found = append(found, "lost: "+r)
		case there && l.closed && l.done[r]:
			found = append(found, "repeated after a clean end: "+r)
		case there && k < last:
			found = append(found, "out of order: "+r)
		case there:
			last = k
		}
	}
	return found
}

// lose runs a life for every operation in which the power fails, with a few different remains of each. It returns the broken
// promises and the numbers of operations and remains.
func lose(t *testing.T, seed uint64, mode SyncMode, drops bool, remains, step int, prepare func(*crashFS)) (found []string, ops, losses int) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 2))
	base := t.TempDir()
	for crashAt := 1; ; crashAt += step {
		root := filepath.Join(base, fmt.Sprint("live", crashAt))
		require.NoError(t, os.Mkdir(root, dirMode))
		fsys := newCrashFS(root)
		fsys.crashAt = crashAt
		prepare(fsys)
		l := live(root, seed, mode, drops, fsys)
		for k := range remains {
			left := filepath.Join(base, fmt.Sprint("left", crashAt, "-", k))
			fsys.leave(t, root, left, random)
			for _, w := range l.wrong(t, left, mode) {
				found = append(found, fmt.Sprintf("seed %d, operation %d: %s", seed, crashAt, w))
			}
			losses++
			require.NoError(t, os.RemoveAll(left))
		}
		require.NoError(t, os.RemoveAll(root))
		if !fsys.down() { // the life ended before the power failed
			return found, fsys.ops, losses
		}
	}
}

// The power fails in every operation of a log's life, and any part of the data that was not synced may remain. With fsync batch
// no acknowledged record is lost, the order is kept, the cursor is not ahead of the done records, and after a clean end nothing
// is repeated. In the other modes the log recovers and invents nothing.
func TestPowerLossAnywhere(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  SyncMode
		drops bool
	}{{"batch", SyncBatch, false}, {"none", SyncNone, false}, {"batch, drops", SyncBatch, true}, {"none, drops", SyncNone, true}} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(2) {
				found, ops, losses := lose(t, seed, c.mode, c.drops, 2, 1, func(*crashFS) {})
				assert.Empty(t, found)
				t.Logf("seed %d: %d operations, %d power losses", seed, ops, losses)
			}
		})
	}
}

// The test finds a file system that ignores syncs, so the test above can fail.
func TestPowerLossNeedsEverySync(t *testing.T) {
	for name, prepare := range map[string]func(*crashFS){
		"no file is synced":      func(f *crashFS) { f.skipSync = true },
		"no directory is synced": func(f *crashFS) { f.skipSyncDir = true },
	} {
		t.Run(name, func(t *testing.T) {
			for _, drops := range []bool{false, true} {
				found, _, _ := lose(t, 0, SyncBatch, drops, 2, 7, prepare)
				assert.NotEmpty(t, found)
			}
		})
	}
}
