package segment

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A disk without a free block accepts no record, but the log on it shrinks, also after a restart: its records are read, done,
// deleted, and dropped on request.
func TestDiskStaysFull(t *testing.T) {
	opt, fsys := faultyOptions(t)
	opt.MaxSegmentBytes = 60
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
func TestMaintainRepeatsWhatFailed(t *testing.T) {
	for _, op := range []string{"writeat", "sync", "remove"} {
		opt, fsys := faultyOptions(t)
		opt.MaxSegmentBytes = 60
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
		err := l.Maintain()
		if op == "remove" {
			require.NoError(t, err)
			assert.Positive(t, reported)
		} else {
			require.ErrorIs(t, err, syscall.EPERM)
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
	opt, fsys := faultyOptions(t)
	opt.MaxSegmentBytes = 60
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
	opt, fsys := faultyOptions(t)
	opt.MaxSegmentBytes = 60
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
