package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A view of a log whose owner appends, reads and deletes shows whole records in their order, and no damage.
func TestViewBesideItsOwner(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Options{Dir: dir, Kind: testKind, Budget: &Budget{Max: 1 << 30}, MaxSegmentBytes: 4 << 10, Sync: SyncNone})
	require.NoError(t, err)
	const records = 3000
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range records {
			if err := l.Append(frame(fmt.Sprintf("%06d some text", n))); !assert.NoError(t, err) {
				return
			}
			if n%3 != 2 {
				continue
			}
			e, ok, err := l.Next()
			if !assert.True(t, ok) || !assert.NoError(t, errors.Join(err, l.Done(e))) {
				return
			}
		}
	})
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	looks, seen, gone := 0, 0, 0
	for more := true; more; looks++ {
		select {
		case <-finished:
			more = false
		default:
		}
		v, err := ReadView(OS{}, dir, testKind)
		require.NoError(t, err)
		last := ""
		for _, s := range v.Segments {
			err := v.Walk(s, func(p Piece) error {
				require.False(t, p.Damaged, "%s %d: %q", s.Name, p.Start, p.Data)
				if !p.Unfinished {
					require.Less(t, last, string(p.Data))
					last = string(p.Data)
					seen++
				}
				return nil
			})
			if errors.Is(err, fs.ErrNotExist) {
				gone++
				continue
			}
			require.NoError(t, err)
		}
	}
	assert.Positive(t, seen)
	require.NoError(t, l.Close())
	t.Logf("%d looks, %d records, %d segments gone", looks, seen, gone)
}

func TestViewKnowsWhatIsDone(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Options{Dir: dir, Kind: testKind, Budget: &Budget{Max: 1 << 30}, MaxSegmentBytes: 4 << 10})
	require.NoError(t, err)
	for n := range 4 {
		require.NoError(t, l.Append(frame(fmt.Sprint(n))))
	}
	var entries []Entry
	for range 3 {
		e, ok, err := l.Next()
		require.NoError(t, err)
		require.True(t, ok)
		entries = append(entries, e)
	}
	require.NoError(t, l.Done(entries[0]))
	require.NoError(t, l.Done(entries[2])) // out of order
	require.NoError(t, l.Close())

	before, err := os.ReadFile(dir + "/" + cursorName)
	require.NoError(t, err)
	v, err := ReadView(OS{}, dir, testKind)
	require.NoError(t, err)
	require.Len(t, v.Segments, 1)
	assert.Equal(t, Position{1, frameHeader + 1}, v.Cursor)
	assert.Equal(t, int64(2*(frameHeader+1)), v.Segments[0].Unread)
	var unread []string
	require.NoError(t, v.Walk(v.Segments[0], func(p Piece) error {
		if !p.Done {
			unread = append(unread, string(p.Data))
		}
		return nil
	}))
	assert.Equal(t, []string{"1", "3"}, unread)
	after, err := os.ReadFile(dir + "/" + cursorName)
	require.NoError(t, err)
	assert.Equal(t, before, after)

	require.NoError(t, os.Remove(dir+"/"+v.Segments[0].Name))
	require.ErrorIs(t, v.Walk(v.Segments[0], nil), fs.ErrNotExist)
}
