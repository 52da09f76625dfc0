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

// onDisk returns the bytes of a log's files that count against the budget: all except the cursor.
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

// All events of a log happen in random order, in several runs with either order of reading, while disk operations fail
// sometimes. Every accepted record is done or dropped, exactly once if each run ended cleanly. When the disk works the budget
// matches the bytes on disk.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := &randomLog{
				random: rand.New(rand.NewPCG(seed, 7)), fs: &faultyFS{}, clean: true,
				acked: map[string]bool{}, dealt: map[string]int{},
			}
			r.fs.fail = func(op, _ string) error {
				// The bytes that a failed cutBack leaves are not counted, see cutBack.
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
				r.markDealt(t, s)
			}
			assert.Zero(t, opt.Budget.Used())
			assert.Zero(t, onDisk(t, opt.Dir))
			for s := range r.acked {
				assert.Positive(t, r.dealt[s], "lost: %s", s)
			}
		})
	}
}

// randomLog is a log and the history of its records.
type randomLog struct {
	*Log
	random *rand.Rand
	fs     *faultyFS
	oneIn  int  // one in so many disk operations fails; 0: none
	clean  bool // no earlier run has ended with an error

	tried int
	acked map[string]bool
	dealt map[string]int // done, or dropped
	read  []Entry
}

// live runs the log from Open to Close.
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
			r.markDealt(t, string(e.Record))
			_ = r.Done(e) // the next call repeats it, or the run does not end cleanly
		}
	case 9:
		if r.random.IntN(6) == 0 {
			r.drop(t)
		}
	case 10:
		_ = r.Maintain() // a failure is part of the test
	}
}

// drop drops the oldest segment. Its records that were read are no longer in the log either.
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
		r.markDealt(t, s)
	}
}

func (r *randomLog) markDealt(t *testing.T, s string) {
	t.Helper()
	r.dealt[s]++
	if r.clean {
		require.Equal(t, 1, r.dealt[s], "again: %s", s)
	}
}

// exact compares the budget with the disk, which must work.
func (r *randomLog) exact(t *testing.T) {
	t.Helper()
	require.NoError(t, r.Maintain())
	used, there := r.opt.Budget.Used(), onDisk(t, r.opt.Dir)
	require.Equal(t, there, used)
	require.Equal(t, r.Stats().Bytes, used)
}
