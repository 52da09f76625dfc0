package segment

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// loadFrom reads a cursor file with a content.
func loadFrom(t testing.TB, dir string, content []byte) (cursor, bool) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, cursorName), content, FileMode))
	c, p, damaged, err := openCursor(in(OS{}, dir))
	require.NoError(t, err)
	require.NoError(t, c.close())
	return p, damaged
}

func at(segment uint64, offset int64) cursor { return cursor{Position: Position{segment, offset}} }

// A crash leaves any part of a save on disk, or garbage in its slot. The cursor is the old one or the new one, never an older
// or another one, although the slots differ in only a few bytes.
func TestCrashInASaveLeavesACursor(t *testing.T) {
	dir := t.TempDir()
	c, p, damaged, err := openCursor(in(&faultyFS{}, dir))
	require.NoError(t, err)
	require.False(t, damaged)
	require.Zero(t, p)
	read := func() []byte {
		data, err := os.ReadFile(filepath.Join(dir, cursorName))
		require.NoError(t, err)
		return data
	}
	for n := range uint64(4) {
		older, newer := at(n, int64(10*n)), at(n+1, int64(10*n+10))
		before := read()
		require.NoError(t, c.save(func() cursor { return newer }))
		after := read()
		require.Len(t, after, cursorSlots*slotSize)
		first := 0
		for first < len(after) && before[first] == after[first] {
			first++
		}
		begin := first / slotSize * slotSize
		other := t.TempDir()
		for cut := range 129 { // the line is shorter and followed by blanks
			torn := bytes.Clone(before)
			copy(torn[begin:begin+cut], after[begin:begin+cut])
			got, damaged := loadFrom(t, other, torn)
			require.Contains(t, []cursor{older, newer}, got, "cut at %d", cut)
			require.False(t, damaged && older.Segment != 0, "cut at %d", cut)
		}
		for i := range 128 {
			flipped := bytes.Clone(after)
			flipped[begin+i] ^= 0x04
			got, _ := loadFrom(t, other, flipped)
			require.Contains(t, []cursor{older, newer}, got, "flipped at %d", i)
		}
		garbage := bytes.Clone(after)
		copy(garbage[begin:begin+slotSize], bytes.Repeat([]byte{0xa5}, slotSize))
		got, _ := loadFrom(t, other, garbage)
		require.Equal(t, older, got)
	}
	require.NoError(t, c.close())
}

// A save that fails, however often, does not destroy the last successful one.
func TestFailedSavesKeepTheLastCursor(t *testing.T) {
	for _, op := range []string{"writeat", "sync"} {
		dir := t.TempDir()
		fsys := &faultyFS{}
		c, _, _, err := openCursor(in(fsys, dir))
		require.NoError(t, err)
		require.NoError(t, c.save(func() cursor { return at(1, 1) }))
		require.NoError(t, c.save(func() cursor { return at(2, 2) }))
		last := c.sequence % cursorSlots * slotSize
		good, err := os.ReadFile(filepath.Join(dir, cursorName))
		require.NoError(t, err)
		fsys.fail = failing(op, syscall.EIO)
		for range 3 {
			require.ErrorIs(t, c.save(func() cursor { return at(3, 3) }), syscall.EIO)
			now, err := os.ReadFile(filepath.Join(dir, cursorName))
			require.NoError(t, err)
			assert.Equal(t, good[last:last+slotSize], now[last:last+slotSize], "the slot of the last success")
		}
		fsys.fail = nil
		require.NoError(t, c.save(func() cursor { return at(4, 4) }))
		require.NoError(t, c.close())
		require.ErrorIs(t, c.save(func() cursor { return at(5, 5) }), ErrClosed)
		c, p, damaged, err := openCursor(in(fsys, dir))
		require.NoError(t, err)
		assert.False(t, damaged)
		assert.Equal(t, at(4, 4), p)
		require.NoError(t, c.close())
	}
}

func in(fsys FS, path string) *dir { return &dir{fs: fsys, path: path} }
