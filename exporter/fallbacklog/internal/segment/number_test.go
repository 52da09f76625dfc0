package segment

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// If the segments are deleted and the cursor is left, the cursor does not apply to the segments that follow.
func TestSegmentsDeletedBesideTheirCursor(t *testing.T) {
	for name, newestFirst := range map[string]bool{"position": false, "ranges": true} {
		t.Run(name, func(t *testing.T) {
			opt := options(t.TempDir())
			opt.NewestFirst = newestFirst
			opt.MaxSegmentBytes = 60
			l := open(t, opt)
			appendAll(t, l, numbered(9)...)
			e, ok, err := l.Next()
			require.NoError(t, err)
			require.True(t, ok)
			require.NoError(t, l.Done(e))
			require.NoError(t, l.Close())
			segments, err := filepath.Glob(filepath.Join(opt.Dir, "*"+opt.Extension))
			require.NoError(t, err)
			for _, s := range segments {
				require.NoError(t, os.Remove(s))
			}

			opt = options(opt.Dir)
			l = open(t, opt)
			appendAll(t, l, "new", "newer")
			crashed := t.TempDir()
			require.NoError(t, os.CopyFS(crashed, os.DirFS(opt.Dir)))
			assert.Equal(t, []string{"new", "newer"}, drain(t, open(t, options(crashed)), true))
		})
	}
}
