package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frames is a format for tests: a marker, a length, a checksum, the bytes.
type frames struct{}

const frameHeader = 9

func frame(s string) []byte {
	b := []byte{'#'}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum([]byte(s), castagnoli))
	return append(b, s...)
}

func (frames) Next(data []byte, final bool) ([]byte, int) {
	incomplete := len(data) < frameHeader
	if data[0] == '#' && !incomplete {
		n := int(binary.LittleEndian.Uint32(data[1:]))
		incomplete = len(data)-frameHeader < n
		if !incomplete {
			body := data[frameHeader : frameHeader+n]
			if crc32.Checksum(body, castagnoli) == binary.LittleEndian.Uint32(data[5:]) {
				return body, frameHeader + n
			}
		}
	}
	if incomplete && !final {
		return nil, 0
	}
	if i := bytes.IndexByte(data[1:], '#'); i >= 0 {
		return nil, 1 + i
	}
	if incomplete {
		return nil, 0
	}
	return nil, len(data)
}

var testKind = Kind{Extension: ".seg", Format: frames{}}

func options(dir string) Options {
	return Options{
		Dir: dir, Kind: testKind, Budget: &Budget{Max: 1 << 30},
		MaxSegmentBytes: 1 << 20, Sync: SyncBatch,
	}
}

func open(t testing.TB, opt Options) *Log {
	t.Helper()
	l, err := Open(opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func appendAll(t testing.TB, l *Log, records ...string) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, l.Append(frame(r)))
	}
}

// drain reads all records. With release it also marks them as done.
func drain(t testing.TB, l *Log, release bool) (records []string) {
	t.Helper()
	for {
		e, ok, err := l.Next()
		require.NoError(t, err)
		if !ok {
			return records
		}
		records = append(records, string(e.Record))
		if release {
			require.NoError(t, l.Done(e))
		}
	}
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	require.NoError(t, err)
	return names
}

// long returns records of about 110 bytes.
func long(n int) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf("record %03d %s", i, strings.Repeat("text ", 20)))
	}
	return records
}

// smallSegments returns options for segments of six long records.
func smallSegments(dir string) Options {
	opt := options(dir)
	opt.MaxSegmentBytes = int64(6 * len(frame(long(1)[0])))
	return opt
}

func numbered(n int) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf("record %d", i))
	}
	return records
}

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
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, held.Close())
	again, err := OS{}.Lock(name)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestBudgetBoundsTheDisk(t *testing.T) {
	opt := options(t.TempDir())
	opt.Budget = &Budget{Max: 100}
	opt.MaxSegmentBytes = 50
	l := open(t, opt)
	stored := 0
	for range 50 {
		err := l.Append(frame("0123456789"))
		if err != nil {
			require.ErrorIs(t, err, ErrFull)
			break
		}
		stored++
	}
	assert.Equal(t, 100/len(frame("0123456789")), stored)
	assert.LessOrEqual(t, l.Stats().Bytes, int64(100))

	// Dropping the oldest segment makes room. It visits the dropped records, without those that have been read.
	e, ok, err := l.Next()
	require.NoError(t, err)
	require.True(t, ok)
	var dropped int
	made, err := l.DropOldest(func([]byte) { dropped++ })
	require.NoError(t, err)
	require.True(t, made)
	assert.Equal(t, 1, dropped, "the segment had two records, one is the reader's")
	require.NoError(t, l.Done(e), "a release of what is gone changes nothing")
	require.NoError(t, l.Append(frame("0123456789")))
	assert.Len(t, drain(t, l, true), stored-2+1)
	assert.Zero(t, opt.Budget.Used())
}

// Records are dropped for min_free_disk_mib only if dropping all of them would be enough.
func TestMinFree(t *testing.T) {
	free := int64(1000)
	b := &Budget{Max: 1 << 20, MinFree: 900, Free: func() (int64, error) { return free, nil }}
	require.NoError(t, b.Reserve(100))
	require.ErrorIs(t, b.Reserve(1), ErrFull, "what is not written yet takes room")
	b.Written(100)
	free = 900
	err := b.Reserve(100)
	require.ErrorIs(t, err, ErrFull)
	require.NotErrorIs(t, err, ErrNoRoom, "the 100 bytes in the log would do")
	require.ErrorIs(t, b.Reserve(101), ErrNoRoom)
	assert.EqualValues(t, 100, b.Used())
}

func TestRecordLargerThanTheLogHasNoRoom(t *testing.T) {
	b := &Budget{Max: 100}
	require.NoError(t, b.Reserve(100))
	err := b.Reserve(100)
	require.ErrorIs(t, err, ErrFull)
	require.NotErrorIs(t, err, ErrNoRoom)
	err = b.Reserve(101)
	require.ErrorIs(t, err, ErrNoRoom)
	require.ErrorIs(t, err, ErrFull)
}

func TestDropOldestTakesTheActiveSegment(t *testing.T) {
	l := open(t, options(t.TempDir()))
	appendAll(t, l, "a", "b")
	var got []string
	made, err := l.DropOldest(func(r []byte) { got = append(got, string(r)) })
	require.NoError(t, err)
	require.True(t, made)
	assert.Equal(t, []string{"a", "b"}, got)
	made, err = l.DropOldest(func([]byte) {})
	require.NoError(t, err)
	assert.False(t, made)
	appendAll(t, l, "c")
	assert.Equal(t, []string{"c"}, drain(t, l, true))
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
