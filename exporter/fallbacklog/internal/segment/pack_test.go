package segment

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/seekable"
)

// long are records that compress.
func long(n int) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf("record %03d %s", i, strings.Repeat("text ", 20)))
	}
	return records
}

func noRest(time.Duration) {}

func packAll(t testing.TB, l *Log) {
	t.Helper()
	for l.packNext(noRest) {
	}
}

// on returns the names in a log's directory that end so.
func on(t testing.TB, dir, suffix string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	require.NoError(t, err)
	return names
}

// packedLog has five segments of six records, the last of them still open, and two of them done.
func packedLog(t testing.TB, opt Options) *Log {
	t.Helper()
	l := open(t, opt)
	appendAll(t, l, long(30)...)
	require.Len(t, files(t, opt.Dir), 5)
	packAll(t, l)
	return l
}

func packOptions(dir string) Options {
	opt := options(dir)
	opt.MaxSegmentBytes = int64(6 * len(frame(long(1)[0])))
	return opt
}

func TestPackedSegmentsAreReadAsTheyWere(t *testing.T) {
	for _, newest := range []bool{false, true} {
		opt := packOptions(t.TempDir())
		opt.NewestFirst = newest
		l := packedLog(t, opt)
		assert.Len(t, on(t, opt.Dir, ".seg.zst"), 4)
		assert.Len(t, on(t, opt.Dir, ".seg"), 1, "the last one still grows")
		s := l.Stats()
		assert.EqualValues(t, 30*len(frame(long(1)[0])), s.Unread, "as appended")
		assert.Less(t, s.Bytes, s.Unread/2)
		assert.Less(t, s.UnreadDisk, s.Unread)
		assert.Equal(t, s.Bytes, opt.Budget.Used())
		size := int64(0)
		for _, name := range append(on(t, opt.Dir, ".zst"), files(t, opt.Dir)...) {
			fi, err := os.Stat(name)
			require.NoError(t, err)
			assert.Equal(t, FileMode, fi.Mode())
			size += fi.Size()
		}
		assert.Equal(t, size, s.Bytes)

		var got []string
		read := func(n int) {
			for range n {
				e, ok, err := l.Next()
				require.NoError(t, err)
				require.True(t, ok)
				got = append(got, string(e.Record))
				require.NoError(t, l.Done(e))
			}
		}
		read(10)
		require.NoError(t, l.Close())
		opt.Budget = &Budget{Max: 1 << 30}
		l = open(t, opt) // in the middle of a packed segment
		assert.Equal(t, l.Stats().Bytes, opt.Budget.Used())
		packAll(t, l) // also what was open before
		assert.Empty(t, files(t, opt.Dir))
		read(20)
		want := long(30)
		if newest {
			want = nil
			for k := 4; k >= 0; k-- {
				want = append(want, long(30)[6*k:6*k+6]...)
			}
		}
		assert.Equal(t, want, got)
		assert.True(t, l.Empty())
		assert.Empty(t, on(t, opt.Dir, ".zst"))
		assert.Zero(t, opt.Budget.Used())
		require.NoError(t, l.Close())
	}
}

// The reader goes on where it was when its segment is compressed under it; what is out is done afterwards.
func TestPackUnderTheReader(t *testing.T) {
	opt := packOptions(t.TempDir())
	l := open(t, opt)
	appendAll(t, l, long(30)...)
	var entries []Entry
	for range 3 {
		e, ok, err := l.Next()
		require.NoError(t, err)
		require.True(t, ok)
		entries = append(entries, e)
	}
	packAll(t, l)
	require.Len(t, on(t, opt.Dir, ".zst"), 4)
	require.NoError(t, l.Done(entries[1]))
	assert.Equal(t, long(30)[3:], drain(t, l, true))
	require.NoError(t, l.Done(entries[0]))
	require.NoError(t, l.Done(entries[2]))
	assert.True(t, l.Empty())
	assert.Empty(t, on(t, opt.Dir, ".zst"))
}

func TestDropOldestOfPackedSegments(t *testing.T) {
	opt := packOptions(t.TempDir())
	l := packedLog(t, opt)
	e, _, err := l.Next()
	require.NoError(t, err)
	var dropped []string
	made, err := l.DropOldest(func(r []byte) { dropped = append(dropped, string(r)) })
	require.NoError(t, err)
	require.True(t, made)
	assert.Equal(t, long(30)[1:6], dropped, "the first is the reader's")
	require.NoError(t, l.Done(e))
	assert.Len(t, on(t, opt.Dir, ".zst"), 3)
	assert.Equal(t, long(30)[6:], drain(t, l, true))
	assert.Zero(t, opt.Budget.Used())
}

// Frames end where records do, so that damage to one costs no record of another; a record of several frames is read.
func TestFramesEndWithRecords(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 64 << 20
	l := open(t, opt)
	rng := rand.New(rand.NewPCG(5, 6))
	var want []string
	ends := map[int64]bool{}
	at := int64(0)
	for k := range 200 {
		n := rng.IntN(100_000)
		if k == 100 {
			n = 3<<20 + 7
		}
		r := fmt.Sprintf("%d %s", k, strings.Repeat("text", n/4))
		want = append(want, r)
		at += int64(len(frame(r)))
		ends[at] = true
	}
	appendAll(t, l, want...)
	require.NoError(t, l.Close())
	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	packAll(t, l)
	names := on(t, opt.Dir, ".zst")
	require.Len(t, names, 1)
	f, err := os.Open(names[0])
	require.NoError(t, err)
	fi, err := f.Stat()
	require.NoError(t, err)
	x, err := seekable.ReadIndex(f, fi.Size())
	require.NoError(t, err)
	inside := 0
	for _, fr := range x.Frames {
		if !ends[fr.Start+fr.Size] {
			inside++
		}
	}
	assert.Equal(t, 3, inside, "of the record that is larger than a frame")
	assert.Greater(t, len(x.Frames), 8)
	assert.Equal(t, at, x.Size)

	d, err := zstd.NewReader(f)
	require.NoError(t, err)
	defer d.Close()
	plain, err := io.ReadAll(d)
	require.NoError(t, err)
	assert.Len(t, plain, int(at))
	require.NoError(t, f.Close())
	assert.Equal(t, want, drain(t, l, true))
}

// Without room for the copy, or with a disk that fails, a segment stays as it is; it is said once and not tried again.
func TestSegmentThatCannotBePackedStaysPlain(t *testing.T) {
	fail := func(op string) func(*faultyFS, *Options) {
		return func(f *faultyFS, _ *Options) {
			f.fail = func(o, name string) error {
				if o == op && (strings.Contains(name, packedSuffix) || o == "syncdir") {
					return syscall.EIO
				}
				return nil
			}
		}
	}
	for name, spoil := range map[string]func(*faultyFS, *Options){
		"budget": func(_ *faultyFS, opt *Options) { opt.Budget.Max = opt.Budget.Used() + 20 },
		"disk":   func(f *faultyFS, _ *Options) { f.setFull(true) },
		"open":   fail("open"), "write": fail("write"), "sync": fail("sync"), "rename": fail("rename"), "syncdir": fail("syncdir"),
	} {
		t.Run(name, func(t *testing.T) {
			opt := packOptions(t.TempDir())
			fsys := &faultyFS{}
			opt.FS = fsys
			var errs []error
			opt.OnError = func(err error) { errs = append(errs, err) }
			l := open(t, opt)
			appendAll(t, l, long(30)...)
			used := opt.Budget.Used()
			spoil(fsys, &opt)
			packAll(t, l)
			require.Len(t, errs, 4, "once each")
			for _, err := range errs {
				require.ErrorIs(t, err, ErrNotPacked)
				if name == "budget" || name == "disk" {
					require.ErrorIs(t, err, ErrFull)
				}
			}
			assert.False(t, l.packNext(noRest))
			assert.Empty(t, on(t, opt.Dir, tempSuffix))
			assert.Empty(t, on(t, opt.Dir, packedSuffix))
			assert.Equal(t, used, opt.Budget.Used())
			fsys.fail, opt.Budget.Max = nil, 1<<30
			fsys.setFull(false)
			assert.Equal(t, long(30), drain(t, l, true))
			assert.Zero(t, opt.Budget.Used())
		})
	}
}

// In a directory that has come to be somebody else's nothing is replaced, whenever that is found out.
func TestNothingIsPackedForSomebodyElse(t *testing.T) {
	for asked := range 5 {
		opt := packOptions(t.TempDir())
		opt.OnError = func(err error) { require.NoError(t, err) }
		opt.Owned = func() error {
			if asked--; asked < 0 {
				return ErrLocked
			}
			return nil
		}
		l := open(t, opt)
		appendAll(t, l, long(30)...)
		want := len(files(t, opt.Dir))
		if asked >= 3 { // at the beginning, before a frame, and before it takes the place of the plain one
			want--
		}
		packAll(t, l)
		assert.Len(t, files(t, opt.Dir), want)
		assert.Empty(t, on(t, opt.Dir, tempSuffix))
		assert.Equal(t, onDisk(t, opt.Dir), opt.Budget.Used())
		assert.Equal(t, long(30), drain(t, l, true))
	}
}

// A copy in the making that cannot be removed is counted, in this life and the next, and goes when room is needed.
func TestCopyThatCannotBeRemoved(t *testing.T) {
	opt := packOptions(t.TempDir())
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, long(30)...)
	broken := func(op, name string) error {
		if strings.HasSuffix(name, tempSuffix) && (op == "sync" || op == "remove") {
			return syscall.EIO
		}
		return nil
	}
	fsys.fail = broken
	packAll(t, l)
	require.Len(t, on(t, opt.Dir, tempSuffix), 4)
	assert.Equal(t, onDisk(t, opt.Dir), opt.Budget.Used())
	require.NoError(t, l.Close())

	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	require.Len(t, on(t, opt.Dir, tempSuffix), 4)
	assert.Equal(t, onDisk(t, opt.Dir), opt.Budget.Used())
	fsys.fail = nil
	opt.Budget.Max = opt.Budget.Used()
	appendAll(t, l, "more")
	require.Len(t, on(t, opt.Dir, tempSuffix), 3)
	assert.Equal(t, onDisk(t, opt.Dir), opt.Budget.Used())
	require.NoError(t, l.Close())

	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	assert.Empty(t, on(t, opt.Dir, tempSuffix))
	assert.Equal(t, append(long(30), "more"), drain(t, l, true))
	assert.Zero(t, opt.Budget.Used())
}

// A plain file that cannot be removed stays beside the packed one: counted, removed when that works, and never read.
func TestPlainFileThatStays(t *testing.T) {
	for _, restart := range []bool{false, true} {
		opt := packOptions(t.TempDir())
		fsys := &faultyFS{}
		opt.FS = fsys
		l := open(t, opt)
		appendAll(t, l, long(30)...)
		used := opt.Budget.Used()
		fsys.fail = failing("remove", syscall.EIO)
		packAll(t, l)
		assert.Greater(t, opt.Budget.Used(), used, "both are there")
		require.Error(t, l.Tend())
		if restart {
			require.NoError(t, l.Close())
			opt.Budget = &Budget{Max: 1 << 30}
			l = open(t, opt)
			assert.Greater(t, opt.Budget.Used(), used, "both are there")
		}
		fsys.fail = nil
		require.NoError(t, l.Tend())
		assert.Len(t, files(t, opt.Dir), 1)
		assert.Less(t, opt.Budget.Used(), used/2)
		assert.Equal(t, l.Stats().Bytes, opt.Budget.Used())
		assert.Equal(t, long(30), drain(t, l, true))
		assert.Zero(t, opt.Budget.Used())
		require.NoError(t, l.Close())
	}
}

// What a crash leaves: both files of a segment, copies in the making. One file is read, the other is removed.
func TestBothFilesOfASegment(t *testing.T) {
	opt := packOptions(t.TempDir())
	l := open(t, opt)
	appendAll(t, l, long(30)...)
	before := t.TempDir()
	require.NoError(t, os.CopyFS(before, os.DirFS(opt.Dir)))
	packAll(t, l)
	require.NoError(t, l.Close())
	for name, spoil := range map[string]func(packed string) error{
		"both whole":             func(string) error { return nil },
		"packed torn":            func(packed string) error { return os.Truncate(packed, 200) },
		"packed empty":           func(packed string) error { return os.Truncate(packed, 0) },
		"packed damaged":         func(packed string) error { return flip(packed, 60) },
		"packed without a table": func(packed string) error { return flip(packed, -1) },
		"plain torn":             func(packed string) error { return os.Truncate(strings.TrimSuffix(packed, packedSuffix), 100) },
		"plain empty":            func(packed string) error { return os.Truncate(strings.TrimSuffix(packed, packedSuffix), 0) },
		"plain zeros": func(packed string) error {
			plain := strings.TrimSuffix(packed, packedSuffix)
			return os.WriteFile(plain, make([]byte, 300), FileMode)
		},
	} {
		t.Run(name, func(t *testing.T) {
			again := opt
			again.Dir, again.Budget = t.TempDir(), &Budget{Max: 1 << 30}
			require.NoError(t, os.CopyFS(again.Dir, os.DirFS(opt.Dir)))
			for _, packed := range on(t, again.Dir, packedSuffix) {
				plain := filepath.Base(strings.TrimSuffix(packed, packedSuffix))
				data, err := os.ReadFile(filepath.Join(before, plain))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(again.Dir, plain), data, FileMode))
				require.NoError(t, os.WriteFile(packed+tempSuffix, data[:50], FileMode))
				require.NoError(t, spoil(packed))
			}
			v, err := Look(OS{}, again.Dir, testKind)
			require.NoError(t, err)
			require.Len(t, v.Segments, 5, "a view sees each once")

			l := open(t, again)
			assert.Equal(t, 5, l.Stats().Segments)
			assert.Empty(t, on(t, again.Dir, tempSuffix))
			assert.Equal(t, 5, len(files(t, again.Dir))+len(on(t, again.Dir, packedSuffix)), "one of each")
			assert.Equal(t, l.Stats().Bytes, again.Budget.Used())
			assert.Equal(t, long(30), drain(t, l, true))
			assert.Zero(t, again.Budget.Used())
		})
	}
}

// flip changes a byte of a file; from the end where at is negative.
func flip(name string, at int) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 0x55
	return os.WriteFile(name, data, FileMode)
}

// Every byte of a packed segment is changed: its frame's records are lost at most, they are counted and set aside as they
// are on disk, the others are read, nothing changes silently.
func TestFlippedByteOfAPackedSegment(t *testing.T) {
	opt := options(t.TempDir())
	l := open(t, opt)
	var want []string
	for k := range 3 {
		want = append(want, fmt.Sprint(k, strings.Repeat("x", seekable.MaxFrame*6/10))) // each its own frame
	}
	appendAll(t, l, want...)
	require.NoError(t, l.Close())
	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	packAll(t, l)
	require.NoError(t, l.Close())
	name := on(t, opt.Dir, packedSuffix)[0]
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Less(t, len(whole), 2000)
	for at := range whole {
		require.NoError(t, os.WriteFile(name, whole, FileMode))
		require.NoError(t, flip(name, at))
		opt := opt
		opt.Budget = &Budget{Max: 1 << 30}
		lost := int64(0)
		opt.OnDamage = func(n int64) { lost += n }
		l := open(t, opt)
		got := drain(t, l, false)
		switch lost {
		case 0:
			require.Equal(t, want, got, "byte %d", at)
			require.Empty(t, quarantined(t, opt.Dir))
		default:
			require.Len(t, got, 2, "byte %d", at)
			require.Subset(t, want, got)
			require.EqualValues(t, len(frame(want[0])), lost)
			copies := quarantined(t, opt.Dir)
			require.Len(t, copies, 1)
			require.True(t, strings.HasSuffix(copies[0], packedSuffix))
			fi, err := os.Stat(copies[0])
			require.NoError(t, err)
			require.Equal(t, l.Stats().Bytes+fi.Size(), opt.Budget.Used())
		}
		require.NoError(t, l.Close())
		require.NoError(t, os.RemoveAll(filepath.Join(opt.Dir, quarantineDir)))
		require.NoError(t, os.RemoveAll(filepath.Join(opt.Dir, cursorName)))
	}
}

// A cursor in the middle of a frame that comes to be damaged: nothing before it is lost twice, nothing behind it once.
func TestDamageUnderTheCursor(t *testing.T) {
	opt := packOptions(t.TempDir())
	l := packedLog(t, opt)
	for range 3 {
		e, _, err := l.Next()
		require.NoError(t, err)
		require.NoError(t, l.Done(e))
	}
	require.NoError(t, l.Close())
	require.NoError(t, flip(on(t, opt.Dir, packedSuffix)[0], 60))
	opt.Budget = &Budget{Max: 1 << 30}
	lost := 0
	opt.OnDamage = func(n int64) { lost += int(n) }
	l = open(t, opt)
	assert.Equal(t, long(30)[6:], drain(t, l, true))
	assert.Equal(t, 3*len(frame(long(1)[0])), lost)
}

// The worker compresses beside appends, reads and drops: every record is read or dropped, once, in its order.
func TestPackBesideEverything(t *testing.T) {
	opt := packOptions(t.TempDir())
	opt.Compress, opt.Sync = true, SyncNone
	opt.OnError = func(err error) { assert.NoError(t, err) }
	l := open(t, opt)
	const n = 3000
	var wg sync.WaitGroup
	wg.Go(func() {
		for k := range n {
			if !assert.NoError(t, l.Append(frame(fmt.Sprintf("%06d %s", k, strings.Repeat("text ", 20))))) {
				return
			}
		}
	})
	var mu sync.Mutex
	seen := map[string]int{}
	note := func(r []byte) {
		mu.Lock()
		defer mu.Unlock()
		seen[string(r[:6])]++
	}
	wg.Go(func() {
		last := ""
		for k := 0; k < n; {
			e, ok, err := l.Next()
			if err != nil {
				t.Error(err)
				return
			}
			if !ok {
				mu.Lock()
				k = len(seen)
				mu.Unlock()
				continue
			}
			note(e.Record)
			assert.Less(t, last, string(e.Record))
			last = string(e.Record)
			if err := l.Done(e); err != nil {
				t.Error(err)
				return
			}
			if len(last) > 5 && last[5] == '7' && last[4] == '7' {
				_, err := l.DropOldest(note)
				assert.NoError(t, err)
			}
		}
	})
	wg.Wait()
	assert.Len(t, seen, n)
	for r, times := range seen {
		assert.Equal(t, 1, times, r)
	}
	require.NoError(t, l.Close())
	assert.Zero(t, opt.Budget.Used())
	assert.Empty(t, on(t, opt.Dir, tempSuffix))
}

// A view beside an owner that packs misses no record.
func TestViewBesideAPacker(t *testing.T) {
	opt := packOptions(t.TempDir())
	opt.Compress, opt.Sync = true, SyncNone
	l := open(t, opt)
	const n = 3000
	written := make(chan int, n)
	go func() {
		defer close(written)
		for k := range n {
			if !assert.NoError(t, l.Append(frame(fmt.Sprintf("%06d %s", k, strings.Repeat("text ", 20))))) {
				return
			}
			written <- k
		}
	}()
	for k := range written {
		if k%50 != 0 {
			continue
		}
		v, err := Look(OS{}, opt.Dir, testKind)
		require.NoError(t, err)
		next := 0
		for _, s := range v.Segments {
			require.NoError(t, v.Walk(s, func(p Piece) error {
				require.False(t, p.Damaged)
				if !p.Unfinished {
					require.Equal(t, fmt.Sprintf("%06d", next), string(p.Data[:6]), s.Name)
					next++
				}
				return nil
			}))
		}
		require.Greater(t, next, k)
	}
	require.NoError(t, l.Close())
}

// Close does not wait for a segment to be compressed, and leaves no copy in the making.
func TestCloseInTheMiddleOfPacking(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 8 << 20
	opt.Compress = true
	fsys := &faultyFS{}
	writing := make(chan struct{})
	var once sync.Once
	fsys.fail = func(op, name string) error {
		if op == "write" && strings.HasSuffix(name, tempSuffix) {
			once.Do(func() { close(writing) })
		}
		return nil
	}
	opt.FS = fsys
	l := open(t, opt)
	for range 9 {
		appendAll(t, l, strings.Repeat("text", 1<<18))
	}
	<-writing
	require.NoError(t, l.Close())
	assert.Empty(t, on(t, opt.Dir, tempSuffix))
	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	assert.Len(t, drain(t, l, true), 9)
}

// One log at a time makes a copy, in the room that records leave for it.
func TestHeadroom(t *testing.T) {
	b := &Budget{Max: 100, Headroom: 30}
	require.NoError(t, b.Reserve(70))
	require.ErrorIs(t, b.Reserve(1), ErrFull)
	require.ErrorIs(t, b.Reserve(71), ErrNoRoom)
	require.NoError(t, b.ReserveCopy(30))
	require.ErrorIs(t, b.ReserveCopy(1), ErrFull)
	stop := make(chan struct{})
	done, ok := b.turnToCopy(stop)
	require.True(t, ok)
	close(stop)
	_, ok = b.turnToCopy(stop)
	require.False(t, ok)
	done()
	done, ok = b.turnToCopy(nil)
	require.True(t, ok)
	done()
}

// Where the file system is what limits the log, records leave room for the copy, too.
func TestHeadroomOfTheFileSystem(t *testing.T) {
	free := int64(100)
	b := &Budget{Max: 1000, Headroom: 30, MinFree: 50, Free: func() (int64, error) { return free, nil }}
	require.ErrorIs(t, b.Reserve(21), ErrNoRoom)
	require.NoError(t, b.Reserve(20))
	free -= 20
	require.ErrorIs(t, b.Reserve(1), ErrFull)
	require.NoError(t, b.ReserveCopy(30))
	free -= 30
	require.ErrorIs(t, b.ReserveCopy(1), ErrFull)
}

// A full log is packed, and holds what would not fit it.
func TestFullLogIsPacked(t *testing.T) {
	opt := packOptions(t.TempDir())
	opt.Budget = &Budget{Max: 3 * opt.MaxSegmentBytes, Headroom: opt.MaxSegmentBytes}
	opt.Now = func() time.Time { return time.Unix(0, 0) }
	l := open(t, opt)
	kept := 0
	for _, r := range long(100) {
		err := l.Append(frame(r))
		if errors.Is(err, ErrFull) {
			packAll(t, l)
			if err = l.Append(frame(r)); errors.Is(err, ErrFull) {
				break
			}
		}
		require.NoError(t, err)
		kept++
	}
	assert.Greater(t, kept, 18)
	assert.Equal(t, long(100)[:kept], drain(t, l, true))
	assert.Zero(t, opt.Budget.Used())
}
