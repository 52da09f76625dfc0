package segment

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
