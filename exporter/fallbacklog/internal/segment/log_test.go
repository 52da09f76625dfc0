package segment

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOldestFirstAcrossSegmentsAndRestarts(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 100 // five records
	want := numbered(42)
	l := open(t, opt)
	appendAll(t, l, want[:20]...)
	assert.Greater(t, l.Stats().Segments, 3)
	require.NoError(t, l.Close())

	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	appendAll(t, l, want[20:]...)
	assert.Equal(t, want, drain(t, l, false))
	require.NoError(t, l.Close())

	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	assert.Equal(t, want, drain(t, l, true), "nothing was released, so everything is there")
	assert.True(t, l.Empty())
	assert.Zero(t, opt.Budget.Used())
	assert.Empty(t, files(t, opt.Dir))
	require.NoError(t, l.Close())

	l = open(t, opt)
	assert.Empty(t, drain(t, l, false))
	appendAll(t, l, "again")
	assert.Equal(t, []string{"again"}, drain(t, l, true))
}

func TestCursorSurvivesInTheMiddle(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 100
	l := open(t, opt)
	appendAll(t, l, numbered(20)...)
	for range 7 {
		e, ok, err := l.Next()
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, l.Done(e))
	}
	require.NoError(t, l.Close())
	l = open(t, opt)
	assert.Equal(t, numbered(20)[7:], drain(t, l, true))
}

// A cursor that is missing, damaged, or older than the segments repeats records and loses none.
func TestBadCursorRepeatsAndLosesNothing(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"missing": os.Remove,
		"damaged": func(name string) error {
			return os.WriteFile(name, []byte(`{"sequence":9,"segment":9,"offset":9}`), FileMode)
		},
		"truncated": func(name string) error { return os.Truncate(name, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			opt := options(t.TempDir())
			l := open(t, opt)
			appendAll(t, l, numbered(5)...)
			e, _, err := l.Next()
			require.NoError(t, err)
			require.NoError(t, l.Done(e))
			require.NoError(t, l.Close())
			require.NoError(t, spoil(filepath.Join(opt.Dir, cursorName)))
			l = open(t, opt)
			assert.Equal(t, numbered(5), drain(t, l, true))
		})
	}
}

// The last record is cut at every byte. The whole records stay, and the tail is cut from the file.
func TestTornTailIsCut(t *testing.T) {
	whole := append(frame("one"), frame("two")...)
	for cut := len(frame("one")); cut < len(whole); cut++ {
		opt := options(t.TempDir())
		name := filepath.Join(opt.Dir, name{number: 1, created: time.Unix(1, 0), kind: testKind}.String())
		require.NoError(t, os.WriteFile(name, whole[:cut], FileMode))
		l, err := Open(opt)
		require.NoError(t, err)
		require.Equal(t, []string{"one"}, drain(t, l, false), "cut at %d", cut)
		appendAll(t, l, "three")
		require.Equal(t, []string{"three"}, drain(t, l, false))
		require.NoError(t, l.Close())
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, frame("one"), data)
	}
}

// Every byte of the middle record is flipped. Its neighbours are read. The damaged record is copied and counted.
func TestDamageInTheMiddleIsQuarantined(t *testing.T) {
	whole := bytes.Join([][]byte{frame("one"), frame("two"), frame("three")}, nil)
	for at := len(frame("one")); at < len(frame("one"))+len(frame("two")); at++ {
		opt := options(t.TempDir())
		var damaged int64
		opt.OnDamage = func(d Damage) { damaged += d.Bytes }
		data := bytes.Clone(whole)
		data[at] ^= 0x80
		require.NoError(t, os.WriteFile(filepath.Join(opt.Dir, name{number: 1, created: time.Unix(1, 0), kind: testKind}.String()), data, FileMode))
		l, err := Open(opt)
		require.NoError(t, err)
		require.Equal(t, []string{"one", "three"}, drain(t, l, true), "flipped at %d", at)
		require.EqualValues(t, len(frame("two")), damaged)
		kept, err := filepath.Glob(filepath.Join(opt.Dir, "quarantine", "*"))
		require.NoError(t, err)
		require.NotEmpty(t, kept)
		require.NoError(t, l.Close())
	}
}

func TestPermissions(t *testing.T) {
	opt := options(filepath.Join(t.TempDir(), "a", "b"))
	l := open(t, opt)
	appendAll(t, l, "x", "y")
	e, _, err := l.Next()
	require.NoError(t, err)
	require.NoError(t, l.Done(e))
	require.NoError(t, l.Close())
	for _, name := range append(files(t, opt.Dir), filepath.Join(opt.Dir, cursorName)) {
		fi, err := os.Stat(name)
		require.NoError(t, err)
		assert.EqualValues(t, 0o600, fi.Mode().Perm(), name)
	}
	fi, err := os.Stat(opt.Dir)
	require.NoError(t, err)
	assert.EqualValues(t, 0o700, fi.Mode().Perm())
}

func TestConcurrentAppendsShareSyncs(t *testing.T) {
	opt := options(t.TempDir())
	fsys := &faultyFS{}
	var first sync.Once
	blocked, release := make(chan struct{}), make(chan struct{})
	fsys.onSync = func() error {
		first.Do(func() {
			close(blocked)
			<-release
		})
		return nil
	}
	opt.FS = fsys
	l := open(t, opt)
	var wg sync.WaitGroup
	appendOne := func(i int) {
		defer wg.Done()
		assert.NoError(t, l.Append(frame(fmt.Sprint(i))))
	}
	wg.Add(1)
	go appendOne(0)
	<-blocked // the first sync is running: a caller that comes now must wait for the second
	for i := 1; i < 64; i++ {
		wg.Add(1)
		go appendOne(i)
	}
	for {
		l.writer.mu.Lock()
		n := len(l.writer.tasks)
		l.writer.mu.Unlock()
		if n == 63 {
			break
		}
		time.Sleep(time.Millisecond) // only the queue shows that 63 goroutines wait
	}
	close(release)
	wg.Wait()
	assert.Len(t, drain(t, l, false), 64)
	assert.LessOrEqual(t, fsys.syncs, 2, "64 appends, two syncs")
}

func TestLockKeepsASecondHolderOut(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	held, err := OS{}.Lock(name)
	require.NoError(t, err)
	_, err = OS{}.Lock(name)
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, held.Close())
	again, err := OS{}.Lock(name)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestAgeSealsASegment(t *testing.T) {
	opt := options(t.TempDir())
	now := time.Unix(1000, 0)
	opt.Now = func() time.Time { return now }
	opt.MaxSegmentAge = time.Minute
	l := open(t, opt)
	appendAll(t, l, "a", "b")
	now = now.Add(time.Minute)
	appendAll(t, l, "c")
	s := l.Stats()
	assert.Equal(t, 2, s.Segments)
	assert.Equal(t, time.Unix(1000, 0), s.Oldest)
	now = now.Add(-time.Hour) // the clock jumps back
	appendAll(t, l, "d")
	assert.Equal(t, []string{"a", "b", "c", "d"}, drain(t, l, true))
}

func TestClosedLogRefuses(t *testing.T) {
	l := open(t, options(t.TempDir()))
	appendAll(t, l, "a")
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Append(frame("b")), ErrClosed)
}

func TestIntervalSync(t *testing.T) {
	opt := options(t.TempDir())
	synced := make(chan struct{}, 100)
	opt.Sync, opt.SyncInterval = SyncInterval, time.Millisecond
	opt.OnSync = func(time.Duration, error) { synced <- struct{}{} }
	l := open(t, opt)
	appendAll(t, l, "a")
	<-synced
	assert.Equal(t, []string{"a"}, drain(t, l, true))
}

// A segment that an operator copied into the directory is read in its place. Other files are left alone.
func TestForeignFilesAreLeftAlone(t *testing.T) {
	opt := options(t.TempDir())
	for _, name := range []string{"x.seg", "notes.txt", "00000000000000000001-20260101T000000.000Z.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(opt.Dir, name), []byte("x"), FileMode))
	}
	l := open(t, opt)
	assert.Zero(t, l.Stats().Segments)
	appendAll(t, l, "a")
	drain(t, l, true)
	entries, err := os.ReadDir(opt.Dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3+1, "and the cursor")
}

func TestOpenFailsOnAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, nil, FileMode))
	_, err := Open(options(name))
	require.Error(t, err)
	assert.NotErrorIs(t, err, syscall.ENOENT)
}
