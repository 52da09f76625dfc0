package segment

import (
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hangingFS is a disk whose writes hang between hang and thaw, as after fsfreeze.
type hangingFS struct {
	faultyFS
	reached chan struct{} // gets an element for each write that hangs
	thawed  chan struct{}
	once    sync.Once
}

func hanging(t *testing.T) *hangingFS {
	f := &hangingFS{reached: make(chan struct{}, 100), thawed: make(chan struct{})}
	t.Cleanup(f.thaw)
	return f
}

func (f *hangingFS) hang() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = func(op, _ string) error {
		switch op {
		case "write", "writeat", "sync", "remove", "syncdir":
			f.reached <- struct{}{}
			<-f.thawed
		}
		return nil
	}
}

func (f *hangingFS) thaw() { f.once.Do(func() { close(f.thawed) }) }

const maxWait = 30 * time.Millisecond

// A caller waits for a disk that hangs no longer than MaxWait. Its record is then not in the log: a queued record is withdrawn,
// and a record that is being written is not read when the write ends.
func TestHangingDiskKeepsNoCaller(t *testing.T) {
	opt := options(t.TempDir())
	fsys := hanging(t)
	var now atomic.Int64
	opt.FS, opt.MaxWait = fsys, func() time.Duration { return maxWait }
	opt.Now = func() time.Time { return time.Unix(0, now.Load()) }
	l := open(t, opt)
	appendAll(t, l, "before")
	now.Add(int64(time.Minute))
	fsys.hang()
	first := make(chan error)
	go func() { first <- l.Append(frame("in the write that hangs")) }()
	<-fsys.reached
	require.ErrorIs(t, l.Append(frame("behind it")), ErrStalled)
	require.ErrorIs(t, <-first, ErrStalled)
	assert.False(t, l.Stalled())
	now.Add(int64(stalledAfter) + 1)
	assert.True(t, l.Stalled())
	e, ok, err := l.Next()
	require.NoError(t, err)
	require.True(t, ok, "what is there can be read")
	require.ErrorIs(t, l.Done(e), ErrStalled, "and its cursor not be saved")
	require.ErrorIs(t, l.Maintain(), ErrStalled)
	require.ErrorIs(t, l.CheckAppend(1), ErrStalled)

	opt.MaxWait = nil
	fsys.thaw()
	require.Eventually(t, func() bool { return l.Append(frame("after")) == nil }, time.Minute, time.Millisecond)
	assert.False(t, l.Stalled())
	rest := drain(t, l, false)
	require.NotEmpty(t, rest)
	for _, r := range rest {
		assert.Equal(t, "after", r)
	}
	require.Eventually(t, func() bool { return l.Maintain() == nil }, time.Minute, time.Millisecond)
	require.NoError(t, l.Close())
	opt.Budget = &Budget{Max: 1 << 30}
	assert.NotContains(t, drain(t, open(t, opt), true), "in the write that hangs", "nor after a clean end")
}

// A caller with a limit waits no longer than that, however long MaxWait is. Its record has the same outcomes.
func TestAppendBeforeALimit(t *testing.T) {
	opt := options(t.TempDir())
	fsys := hanging(t)
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, "before")
	require.ErrorIs(t, l.AppendBefore(frame("too late"), time.Now()), ErrStalled)
	fsys.hang()
	first := make(chan error)
	go func() { first <- l.AppendBefore(frame("in the write that hangs"), time.Now().Add(maxWait)) }()
	<-fsys.reached
	require.ErrorIs(t, l.AppendBefore(frame("behind it"), time.Now().Add(maxWait)), ErrStalled)
	require.ErrorIs(t, <-first, ErrStalled)
	fsys.thaw()
	require.NoError(t, l.AppendBefore(frame("after"), time.Now().Add(time.Minute)))
	assert.Equal(t, []string{"before", "after"}, drain(t, l, false))
}

// A record whose caller gave up is not in the log after a clean end, even if nothing else was done since.
func TestGivenUpRecordIsDoneAfterARestart(t *testing.T) {
	opt := options(t.TempDir())
	fsys := hanging(t)
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, "before")
	fsys.hang()
	first := make(chan error)
	go func() { first <- l.AppendBefore(frame("in the write that hangs"), time.Now().Add(maxWait)) }()
	<-fsys.reached
	require.ErrorIs(t, <-first, ErrStalled)
	fsys.thaw()
	require.NoError(t, l.Append(frame("after")))
	require.NoError(t, l.Close())
	opt.Budget = &Budget{Max: 1 << 30}
	assert.Equal(t, []string{"before", "after"}, drain(t, open(t, opt), true))
}

// A caller that needs room waits no longer than allowed if the disk hangs while room is made. Neither does a caller behind it.
// The drop ends when the disk answers.
func TestDropperOnAHangingDisk(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	opt.Budget = &Budget{Max: 200}
	fsys := hanging(t)
	opt.FS = fsys
	l := open(t, opt)
	record := frame("0123456789")
	for l.Append(record) == nil {
	}
	dropper := NewDropper()
	tryAppend := func() error { return l.AppendBefore(record, time.Now().Add(maxWait)) }
	drop := func() (bool, error) { return l.DropOldest(func([]byte) {}) }
	require.NoError(t, dropper.Append(time.Minute, tryAppend, drop))
	for l.Append(record) == nil {
	}
	fsys.hang()
	require.ErrorIs(t, dropper.Append(maxWait, tryAppend, drop), ErrStalled)
	require.ErrorIs(t, dropper.Append(maxWait, tryAppend, drop), ErrStalled)
	fsys.thaw()
	require.NoError(t, dropper.Append(time.Minute, func() error { return l.Append(record) }, drop))
}

// The bytes that wait for the disk are bounded.
func TestWaitingAppendsAreBounded(t *testing.T) {
	opt := options(t.TempDir())
	fsys := hanging(t)
	opt.FS, opt.MaxWait = fsys, func() time.Duration { return 5 * time.Second }
	l := open(t, opt)
	fsys.hang()
	record := make([]byte, maxWaiting/2)
	var appends sync.WaitGroup
	for range 2 {
		appends.Go(func() { assert.ErrorIs(t, l.Append(record), ErrStalled) })
	}
	<-fsys.reached
	require.Eventually(t, func() bool {
		l.writer.mu.Lock()
		defer l.writer.mu.Unlock()
		return l.writer.bytes == maxWaiting
	}, time.Minute, time.Millisecond)
	require.ErrorIs(t, l.Append([]byte("x")), ErrBusy)
	appends.Wait()
	fsys.thaw()
	require.NoError(t, l.Close())
	assert.Zero(t, l.writer.bytes)
}

// Close returns if the disk hangs.
func TestCloseOnAHangingDisk(t *testing.T) {
	opt := options(t.TempDir())
	fsys := hanging(t)
	opt.FS, opt.MaxWait = fsys, func() time.Duration { return maxWait }
	l, err := Open(opt)
	require.NoError(t, err)
	appendAll(t, l, "a")
	fsys.hang()
	_ = l.Append(frame("b"))
	require.ErrorIs(t, l.Close(), ErrStalled)
	require.ErrorIs(t, l.Append(frame("c")), ErrClosed)
	fsys.thaw()
	<-l.writer.ended
	<-l.maintainer.ended
}

// The file of a drained or dropped segment is closed, so that its space is free at once.
func TestDeletedSegmentsAreClosed(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	files := &openFilesFS{}
	opt.FS = files
	l := open(t, opt)
	appendAll(t, l, numbered(9)...)
	e, _, err := l.Next()
	require.NoError(t, err)
	made, err := l.DropOldest(func([]byte) {})
	require.NoError(t, err)
	require.True(t, made)
	require.NoError(t, l.Done(e))
	assert.EqualValues(t, 2, files.n.Load(), "the cursor and the active segment")
	drain(t, l, true)
	assert.EqualValues(t, 1, files.n.Load(), "the cursor")
	appendAll(t, l, numbered(9)...)
	drain(t, l, true)
	assert.EqualValues(t, 1, files.n.Load())
}

// openFilesFS counts the open files.
type openFilesFS struct {
	faultyFS
	n atomic.Int64
}

func (f *openFilesFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	file, err := f.faultyFS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	f.n.Add(1)
	return &countedFile{file, &f.n}, nil
}

type countedFile struct {
	File
	n *atomic.Int64
}

func (f *countedFile) Close() error {
	f.n.Add(-1)
	return f.File.Close()
}

// If others fill the disk the capacity is what the disk has, and drop_oldest applies to it. If a dropped segment frees nothing,
// because others use its space, no further segment is dropped.
func TestCapacityIsWhatTheDiskHas(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	disk := int64(200)
	var others int64
	b := &Budget{Max: 1 << 30}
	b.Free = func() (int64, error) { return disk - onDisk(t, opt.Dir) - others, nil }
	opt.Budget = b
	l := open(t, opt)
	assert.Equal(t, disk, b.Capacity())
	record := frame("0123456789")
	n := 0
	for ; ; n++ {
		if err := l.Append(record); err != nil {
			require.ErrorIs(t, err, ErrFull)
			require.NotErrorIs(t, err, ErrNoRoom, "dropping would help")
			break
		}
	}
	assert.Equal(t, int(disk)/len(record), n)
	assert.Equal(t, disk, b.Capacity())
	made, err := l.DropOldest(func([]byte) {})
	require.NoError(t, err)
	require.True(t, made)
	require.NoError(t, l.Append(record))

	for l.Append(record) == nil {
	}
	left := len(files(t, opt.Dir))
	others = 1 << 20
	made, err = l.DropOldest(func([]byte) {})
	assert.True(t, made)
	require.NoError(t, err, "it did free something")
	b.Free = func() (int64, error) { return 0, nil }
	made, err = l.DropOldest(func([]byte) {})
	assert.True(t, made)
	require.ErrorIs(t, err, ErrNoRoom)
	assert.Len(t, files(t, opt.Dir), left-2)
}
