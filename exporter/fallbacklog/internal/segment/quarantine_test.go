package segment

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func quarantined(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, quarantineDir, "*"))
	require.NoError(t, err)
	return names
}

// damagedLog creates a log with three records and damages the middle one.
func damagedLog(t testing.TB, opt Options) {
	t.Helper()
	damaged := frame("two")
	damaged[len(damaged)-1] ^= 1
	data := append(append(frame("one"), damaged...), frame("three")...)
	name := filepath.Join(opt.Dir, name{number: 1, created: time.Unix(1, 0), kind: testKind}.String())
	require.NoError(t, os.WriteFile(name, data, FileMode))
}

// A copy of damage counts against the budget while it exists, also after a restart.
func TestQuarantineCountsAfterARestart(t *testing.T) {
	opt := options(t.TempDir())
	damagedLog(t, opt)
	l := open(t, opt)
	assert.Equal(t, []string{"one", "three"}, drain(t, l, true))
	require.Len(t, quarantined(t, opt.Dir), 1)
	assert.EqualValues(t, len(frame("two")), opt.Budget.Used())
	require.NoError(t, l.Close())

	opt.Budget = &Budget{Max: 1 << 30}
	damagedLog(t, opt) // as if the cursor and the removal had not reached the disk
	require.NoError(t, os.Remove(filepath.Join(opt.Dir, cursorName)))
	l = open(t, opt)
	assert.EqualValues(t, len(frame("two"))+int(l.Stats().Bytes), opt.Budget.Used())
	assert.Equal(t, []string{"one", "three"}, drain(t, l, true))
	assert.EqualValues(t, len(frame("two")), opt.Budget.Used(), "one copy, counted once")
}

// If records need the room the copies are deleted before any record.
func TestQuarantineGoesFirst(t *testing.T) {
	for _, restart := range []bool{false, true} {
		opt := options(t.TempDir())
		damagedLog(t, opt)
		l := open(t, opt)
		drain(t, l, true)
		if restart {
			require.NoError(t, l.Close())
			opt.Budget = &Budget{Max: 1 << 30}
			l = open(t, opt)
		}
		used := opt.Budget.Used()
		require.EqualValues(t, len(frame("two")), used)
		opt.Budget.Max = int64(len(frame("four")) + len(frame("five")))
		appendAll(t, l, "four")
		assert.Len(t, quarantined(t, opt.Dir), 1, "there is room for it yet")
		appendAll(t, l, "five")
		assert.Empty(t, quarantined(t, opt.Dir))
		assert.Equal(t, opt.Budget.Max, opt.Budget.Used())
		require.ErrorIs(t, l.Append(frame("six")), ErrFull)
		assert.Equal(t, []string{"four", "five"}, drain(t, l, true))
	}
}

func TestSpareThatCannotBeRemovedStaysCounted(t *testing.T) {
	b := &Budget{Max: 10}
	b.Add(10)
	b.addSpare(4, func() bool { return false })
	require.ErrorIs(t, b.Reserve(1), ErrFull)
	assert.EqualValues(t, 10, b.Used())
}
