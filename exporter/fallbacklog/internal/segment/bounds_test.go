package segment

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openedFS counts which segments are opened.
type openedFS struct {
	OS
	names []string
}

func (f *openedFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if strings.HasSuffix(name, ".seg") {
		f.names = append(f.names, name)
	}
	return f.OS.OpenFile(name, flag, perm)
}

// A start reads only the newest segment, however large the log is.
func TestOpenReadsTheNewestSegmentOnly(t *testing.T) {
	opt := options(t.TempDir())
	opt.MaxSegmentBytes = 60
	l := open(t, opt)
	appendAll(t, l, numbered(100)...)
	require.NoError(t, l.Close())
	all := files(t, opt.Dir)
	require.Greater(t, len(all), 20)

	opened := &openedFS{}
	opt = options(opt.Dir)
	opt.FS = opened
	l = open(t, opt)
	assert.Equal(t, all[len(all)-1:], opened.names)
	assert.Equal(t, len(all), l.Stats().Segments)
}

// A crash repeats at most the records that became done since the last save of the cursor, which is due after a number of bytes
// or a time.
func TestCrashRepeatsABoundedPart(t *testing.T) {
	now := time.Unix(0, 0)
	opt := options(t.TempDir())
	opt.Now = func() time.Time { return now }
	opt.MaxSegmentBytes = 1 << 30
	l := open(t, opt)
	const size, n = 1 << 20, 30
	for range n {
		appendAll(t, l, strings.Repeat("x", size))
	}
	repeated := func() int {
		crashed := t.TempDir()
		require.NoError(t, os.CopyFS(crashed, os.DirFS(opt.Dir)))
		return len(drain(t, open(t, options(crashed)), false))
	}
	var worst int
	for k := range n - 2 {
		e, ok, err := l.Next()
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, l.Done(e))
		worst = max(worst, repeated()-(n-1-k))
	}
	assert.LessOrEqual(t, worst*size, cursorEveryBytes)
	assert.Positive(t, worst, "it is not saved for each")
	now = now.Add(cursorEvery)
	require.NoError(t, l.Maintain())
	assert.Equal(t, 2, repeated())
}
