package segment

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The directory is deleted or moved. The bytes that went with it are counted, and the next process finds every record that is
// acknowledged afterwards.
func TestDirectoryTakenAwayUnderWay(t *testing.T) {
	for name, remove := range map[string]func(dir string) error{
		"deleted": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+".old") },
		"emptied": func(dir string) error {
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			for _, n := range names {
				err = errors.Join(err, os.Remove(n))
			}
			return err
		},
	} {
		for after, then := range map[string]func(t *testing.T, l *Log){
			"append":   func(*testing.T, *Log) {},
			"maintain": func(t *testing.T, l *Log) { require.NoError(t, l.Maintain()) },
			"next":     func(t *testing.T, l *Log) { assert.Empty(t, drain(t, l, false)) },
			"drop oldest": func(t *testing.T, l *Log) {
				made, err := l.DropOldest(func([]byte) { t.Error("there was nothing to drop") })
				require.NoError(t, err)
				assert.True(t, made)
			},
		} {
			t.Run(name+" "+after, func(t *testing.T) {
				opt := options(filepath.Join(t.TempDir(), "a", "b"))
				opt.MaxSegmentBytes = 60
				var lost int64
				opt.OnDamage = func(d Damage) { lost += d.Bytes }
				l := open(t, opt)
				appendAll(t, l, numbered(5)...)
				used := opt.Budget.Used()
				require.NoError(t, remove(opt.Dir))
				then(t, l)
				appendAll(t, l, "new", "newer")
				assert.Equal(t, used, lost)
				assert.EqualValues(t, len(frame("new"))+len(frame("newer")), opt.Budget.Used())
				require.NoError(t, l.Maintain())

				crashed := t.TempDir()
				require.NoError(t, os.CopyFS(crashed, os.DirFS(opt.Dir)))
				again := options(crashed)
				assert.Equal(t, []string{"new", "newer"}, drain(t, open(t, again), true), "a crash loses nothing")

				assert.Equal(t, []string{"new", "newer"}, drain(t, l, true))
				assert.Empty(t, files(t, opt.Dir))
				assert.Zero(t, opt.Budget.Used())
				require.NoError(t, l.Close())
				again = options(opt.Dir)
				assert.Empty(t, drain(t, open(t, again), true), "and the cursor is where it was")
			})
		}
	}
}

// If the directory must not be created again, no record is acknowledged until somebody creates it.
func TestDirectoryThatMayNotBeMadeAgain(t *testing.T) {
	opt := options(filepath.Join(t.TempDir(), "a"))
	may := true
	errMayNot := errors.New("may not")
	opt.MakeDir = func() error {
		if !may {
			return errMayNot
		}
		return MakeDir(OS{}, opt.Dir)
	}
	l := open(t, opt)
	appendAll(t, l, "one")
	require.NoError(t, os.RemoveAll(opt.Dir))
	may = false
	require.ErrorIs(t, l.Append(frame("two")), errMayNot)
	require.ErrorIs(t, l.Maintain(), errMayNot)
	may = true
	appendAll(t, l, "three")
	assert.Equal(t, []string{"three"}, drain(t, l, true))
}
