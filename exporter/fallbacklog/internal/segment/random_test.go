package segment

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onDisk is what the files of a log take that the budget accounts for: all but the cursor.
func onDisk(t testing.TB, dir string) (n int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == cursorName {
			return err
		}
		fi, err := e.Info()
		n += fi.Size()
		return err
	}))
	return n
}

// Anything that may happen to a log happens in any order, in lives of either order of reading, while the disk fails now and then. Every record that was taken is dealt with or dropped, once where each life
// ended cleanly, and the budget is what is on the disk whenever that works.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := &randomLog{
				random: rand.New(rand.NewPCG(seed, 7)), fs: &faultyFS{}, clean: true,
				acked: map[string]bool{}, dealt: map[string]int{},
			}
			r.fs.fail = func(op, _ string) error {
				// What a failed cut leaves behind is not accounted for: see cutBack.
				if r.oneIn > 0 && op != "truncate" && r.random.IntN(r.oneIn) == 0 {
					return syscall.EIO
				}
				return nil
			}
			opt := options(t.TempDir())
			opt.MaxSegmentBytes, opt.FS = 600+r.random.Int64N(2000), r.fs
			for range 6 {
				r.live(t, opt)
			}
			opt.Budget = &Budget{Max: 1 << 30}
			r.Log = open(t, opt)
			left := drain(t, r.Log, true)
			for _, s := range left {
				r.settle(t, s)
			}
			assert.Zero(t, opt.Budget.Used())
			assert.Zero(t, onDisk(t, opt.Dir))
			for s := range r.acked {
				assert.Positive(t, r.dealt[s], "lost: %s", s)
			}
		})
	}
}

// randomLog is a log and what has happened to its records.
type randomLog struct {
	*Log
	random *rand.Rand
	fs     *faultyFS
	oneIn  int  // of so many operations of the disk one fails; 0: none
	clean  bool // no life before this one has ended with an error

	tried int
	acked map[string]bool
	dealt map[string]int // done, or dropped
	read  []Entry
}

// live runs the log from an Open to a Close.
func (r *randomLog) live(t *testing.T, opt Options) {
	t.Helper()
	opt.Budget = &Budget{Max: 12 * opt.MaxSegmentBytes}
	opt.NewestFirst = r.random.IntN(2) == 0
	r.oneIn, r.read = 0, nil
	var err error
	r.Log, err = Open(opt)
	require.NoError(t, err)
	failing := 0
	if r.random.IntN(2) == 0 {
		failing = 5 + r.random.IntN(60)
	}
	for n := range 120 {
		r.oneIn = failing
		r.step(t)
		if n%10 == 0 {
			r.oneIn = 0
			r.exact(t)
		}
	}
	r.oneIn = failing
	r.clean = r.Close() == nil && r.clean
	r.oneIn = 0
}

func (r *randomLog) step(t *testing.T) {
	t.Helper()
	switch r.random.IntN(11) {
	case 0, 1, 2, 3:
		s := fmt.Sprintf("record %04d %s", r.tried, strings.Repeat("text ", r.random.IntN(60)))
		r.tried++
		if r.Append(frame(s)) == nil {
			r.acked[s] = true
		}
	case 4, 5, 6:
		if e, ok, err := r.Next(); err == nil && ok {
			r.read = append(r.read, e)
		}
	case 7, 8:
		if len(r.read) > 0 {
			k := r.random.IntN(len(r.read))
			e := r.read[k]
			r.read = append(r.read[:k], r.read[k+1:]...)
			r.settle(t, string(e.Record))
			_ = r.Done(e) // the next one makes up for it, or the life does not end cleanly
		}
	case 9:
		if r.random.IntN(6) == 0 {
			r.drop(t)
		}
	case 10:
		_ = r.Tend() // as Done
	}
}

// drop drops the oldest segment. What has been read of it is gone, too.
func (r *randomLog) drop(t *testing.T) {
	t.Helper()
	if len(r.segments.all()) == 0 {
		return
	}
	oldest := r.segments.all()[0].number
	var dropped []string
	made, _ := r.DropOldest(func(record []byte) { dropped = append(dropped, string(record)) })
	if !made {
		return
	}
	var kept []Entry
	for _, e := range r.read {
		if e.Start.Segment == oldest {
			dropped = append(dropped, string(e.Record))
		} else {
			kept = append(kept, e)
		}
	}
	r.read = kept
	for _, s := range dropped {
		r.settle(t, s)
	}
}

func (r *randomLog) settle(t *testing.T, s string) {
	t.Helper()
	r.dealt[s]++
	if r.clean {
		require.Equal(t, 1, r.dealt[s], "again: %s", s)
	}
}

// exact compares the budget with the disk, which works.
func (r *randomLog) exact(t *testing.T) {
	t.Helper()
	require.NoError(t, r.Tend())
	used, there := r.opt.Budget.Used(), onDisk(t, r.opt.Dir)
	require.Equal(t, there, used)
	require.Equal(t, r.Stats().Bytes, used)
}
