package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Records become done in any order, over restarts and crashes, oldest or newest first. Each record is returned once, none is
// lost, and none that was done a second before a crash is returned again.
func TestDoneInAnyOrder(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		now := time.Unix(1000, 0)
		opt := options(t.TempDir())
		opt.FS = &faultyFS{}
		opt.MaxSegmentBytes = 100
		opt.Now = func() time.Time { return now }
		opt.NewestFirst = seed%2 == 1
		l, err := Open(opt)
		require.NoError(t, err)
		var out []Entry
		left := map[string]bool{} // appended, not done
		for i := range 300 {
			switch rng.IntN(8) {
			case 0, 1, 2:
				name := fmt.Sprintf("record %03d", i)
				appendAll(t, l, name)
				left[name] = true
			case 3, 4:
				if e, ok, err := l.Next(); ok {
					require.NoError(t, err)
					require.True(t, left[string(e.Record)], "seed %d: %s comes again", seed, e.Record)
					out = append(out, e)
				}
			case 5, 6:
				if len(out) == 0 {
					continue
				}
				k := rng.IntN(len(out))
				now = now.Add(cursorEvery)
				require.NoError(t, l.Done(out[k]))
				delete(left, string(out[k].Record))
				out = slices.Delete(out, k, k+1)
			case 7:
				if rng.IntN(4) > 0 {
					continue
				}
				crashed := t.TempDir()
				require.NoError(t, os.CopyFS(crashed, os.DirFS(opt.Dir)))
				require.NoError(t, l.Close())
				if rng.IntN(2) == 0 {
					opt.Dir = crashed
				}
				out, opt.Budget = nil, &Budget{Max: 1 << 30}
				l, err = Open(opt)
				require.NoError(t, err)
			}
		}
		for _, e := range out {
			require.NoError(t, l.Done(e))
			delete(left, string(e.Record))
		}
		for _, r := range drain(t, l, true) {
			require.True(t, left[r], "seed %d: %s comes again", seed, r)
			delete(left, r)
		}
		assert.Empty(t, left, "seed %d: lost", seed)
		assert.True(t, l.Empty())
		assert.Empty(t, files(t, opt.Dir))
		assert.Zero(t, opt.Budget.Used())
		require.NoError(t, l.Close())
	}
}

func TestNewestFirst(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 36 // two records
	opt.NewestFirst = true
	l := open(t, opt)
	appendAll(t, l, "record a", "record b", "record c", "record d", "record e")
	read := func(n int) (records []string) {
		for range n {
			e, ok, err := l.Next()
			require.NoError(t, err)
			require.True(t, ok)
			records = append(records, string(e.Record))
			require.NoError(t, l.Done(e))
		}
		return records
	}
	assert.Equal(t, []string{"record e", "record c"}, read(2))
	assert.Len(t, files(t, opt.Dir), 2, "the newest is gone")
	appendAll(t, l, "record f", "record g")
	assert.Equal(t, []string{"record d", "record f"}, read(2), "a segment is read to its end")
	appendAll(t, l, "record h")
	require.NoError(t, l.Close())

	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	assert.Equal(t, []string{"record h", "record g", "record a", "record b"}, drain(t, l, true))
	assert.Empty(t, files(t, opt.Dir))
}

// A segment that is deleted before older ones is named by the cursor until its removal is durable.
func TestSegmentThatGoesBeforeOlderOnes(t *testing.T) {
	opt, fsys := faultyOptions(t)
	opt.MaxSegmentBytes = 36
	opt.NewestFirst = true
	l := open(t, opt)
	appendAll(t, l, "record a", "record b", "record c", "record d")
	for range 2 {
		e, _, err := l.Next()
		require.NoError(t, err)
		fsys.ops = nil
		require.NoError(t, l.Done(e))
	}
	name := name{number: 2, created: l.Stats().Begun, kind: testKind}.String()
	require.Len(t, fsys.ops, 4)
	assert.Equal(t, []string{"writeat cursor", "sync cursor"}, fsys.ops[:2])
	assert.Equal(t, "remove "+name[:20], fsys.ops[2][:27])
	assert.Equal(t, "syncdir "+filepath.Base(opt.Dir), fsys.ops[3])
	c, err := os.ReadFile(filepath.Join(opt.Dir, cursorName))
	require.NoError(t, err)
	assert.Contains(t, string(c), `"done":[[2,0,34]]`)
}

// The cursor of a version without ranges is read.
func TestCursorWithoutRanges(t *testing.T) {
	line := `{"sequence":7,"segment":3,"offset":40,"crc32c":"` + slot{Sequence: 7, Position: Position{3, 40}}.checksum() + `"}`
	require.Contains(t, line, `"crc32c":"2d83a1cf"`, "as it was written then")
	c, damaged := loadFrom(t, t.TempDir(), append([]byte(line), bytes.Repeat([]byte{' '}, 2*slotSize-len(line))...))
	assert.False(t, damaged)
	assert.Equal(t, at(3, 40), c)
}

// If a slot has no room for all ranges the longest are kept.
func TestCursorOfManyRanges(t *testing.T) {
	c := at(1, 0)
	for n := range int64(1000) {
		c.Done = append(c.Done, doneRange{2, byteRange{n * 1e9, n*1e9 + 1 + n}})
	}
	store, _, _, err := openCursor(&dir{fs: OS{}, path: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, store.save(func() cursor { return c }))
	store.sequence = 0
	got, _, err := store.load()
	require.NoError(t, err)
	require.NoError(t, store.close())
	assert.Equal(t, c.Position, got.Position)
	assert.Greater(t, len(got.Done), 100)
	for _, r := range got.Done {
		assert.GreaterOrEqual(t, r.to-r.from, int64(1001-len(got.Done)))
	}
}

func TestByteRanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s byteRanges
		var bytes [64]bool
		for range 12 {
			from := rng.Int64N(64)
			to := min(64, from+rng.Int64N(9))
			s = s.add(from, to)
			for at := from; at < to; at++ {
				bytes[at] = true
			}
		}
		var n int64
		for at, in := range bytes {
			if in {
				n++
			}
			require.Equal(t, in, s.firstOutside(int64(at)) > int64(at))
		}
		require.Equal(t, n, s.length())
		for k := 1; k < len(s); k++ {
			require.Less(t, s[k-1].to, s[k].from)
		}
	}
}
