package segment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// All methods that may be called concurrently are called on a log that is always full, also while its directory is deleted
// repeatedly. Every accepted record is read or dropped once, except those that went with the directory. At the end the budget
// matches the bytes on disk.
func TestEverythingAtOnce(t *testing.T) {
	for _, c := range []struct {
		newest, taken bool
		sync          SyncMode
	}{{false, false, SyncNone}, {true, false, SyncInterval}, {false, true, SyncBatch}, {true, true, SyncNone}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			opt := smallSegments(filepath.Join(t.TempDir(), "log"))
			opt.NewestFirst = c.newest
			opt.Sync, opt.SyncInterval, opt.FS = c.sync, time.Millisecond, &faultyFS{}
			opt.Budget = &Budget{Max: 40 * opt.MaxSegmentBytes}
			s := &stress{Log: open(t, opt), taken: c.taken, seen: map[string]int{}, acked: map[string]bool{}}
			var writers, others sync.WaitGroup
			for w := range 4 {
				writers.Go(func() { s.write(t, w) })
			}
			var end atomic.Bool
			others.Go(func() { s.readAll(t, &end) })
			for _, f := range []func(){
				func() { _ = s.Maintain() }, // fails while the directory is missing
				func() { s.Stats(); s.Cursor(); s.Empty() },
				func() { look(opt.Dir) },
				func() {
					if c.taken {
						_ = os.RemoveAll(opt.Dir) // removes only a part if files are created meanwhile
					}
				},
			} {
				others.Go(func() {
					for !end.Load() {
						f()
						time.Sleep(time.Millisecond) // lets the other goroutines run
					}
				})
			}
			writers.Wait()
			end.Store(true)
			others.Wait()
			require.NoError(t, s.Maintain())
			if !c.taken {
				for r := range s.acked {
					require.Equal(t, 1, s.seen[r], r)
				}
				assert.True(t, s.Empty())
			}
			require.NoError(t, s.Close())
			assert.Equal(t, onDisk(t, opt.Dir), opt.Budget.Used())
		})
	}
}

// stress is a log and the history of its records.
type stress struct {
	*Log
	taken bool // its directory is deleted sometimes

	mu    sync.Mutex
	seen  map[string]int
	acked map[string]bool
}

func (s *stress) note(record []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[string(record[:8])]++
}

// write appends records, and drops the oldest ones if there is no room.
func (s *stress) write(t *testing.T, writer int) {
	for k := range 400 {
		name := fmt.Sprintf("%d %06d", writer, k)
		for {
			err := s.Append(frame(name + strings.Repeat(" text", 20)))
			if err == nil {
				break
			}
			if !s.taken && !errors.Is(err, ErrFull) {
				t.Error(err)
				return
			}
			if _, err := s.DropOldest(s.note); !s.taken {
				assert.NoError(t, err)
			}
		}
		s.mu.Lock()
		s.acked[name] = true
		s.mu.Unlock()
	}
}

// readAll reads until no more records come, and marks them as done in another order.
func (s *stress) readAll(t *testing.T, end *atomic.Bool) {
	var held []Entry
	done := func(keep int) {
		for len(held) > keep {
			k := len(held) * 2 / 3
			if err := s.Done(held[k]); !s.taken {
				assert.NoError(t, err)
			}
			held = append(held[:k], held[k+1:]...)
		}
	}
	for {
		last := end.Load()
		e, ok, err := s.Next()
		if err != nil && !s.taken {
			t.Error(err)
			return
		}
		if ok {
			s.note(e.Record)
			held = append(held, e)
			done(20)
			continue
		}
		done(0)
		if last && err == nil {
			return
		}
	}
}

// look walks a log that changes meanwhile.
func look(dir string) {
	v, err := ReadView(OS{}, dir, testKind)
	if err != nil {
		return // the directory was deleted
	}
	for _, s := range v.Segments {
		_ = v.Walk(s, func(Piece) error { return nil }) // the segment may have been deleted
	}
}
