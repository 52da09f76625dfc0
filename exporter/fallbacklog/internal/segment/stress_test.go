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

// Whatever may be called concurrently is, on a log that is full all the time; also while its directory is taken away again and again. Every record that was taken is read or dropped, once, but for what
// went with the directory, and the budget is what is on the disk in the end.
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
				func() { _ = s.Tend() }, // fails where the directory goes
				func() { s.Stats(); s.Cursor(); s.Empty() },
				func() { look(opt.Dir) },
				func() {
					if c.taken {
						_ = os.RemoveAll(opt.Dir) // in part, where something is made meanwhile
					}
				},
			} {
				others.Go(func() {
					for !end.Load() {
						f()
						time.Sleep(time.Millisecond) // leaves time to the others
					}
				})
			}
			writers.Wait()
			end.Store(true)
			others.Wait()
			require.NoError(t, s.Tend())
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

// stress is a log and what has come of its records.
type stress struct {
	*Log
	taken bool // its directory is, now and then

	mu    sync.Mutex
	seen  map[string]int
	acked map[string]bool
}

func (s *stress) note(record []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[string(record[:8])]++
}

// write appends records, and drops the oldest ones where there is no room.
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

// readAll reads until there is nothing more to come, and is done with records in another order.
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

// look walks a log that others change.
func look(dir string) {
	v, err := Look(OS{}, dir, testKind)
	if err != nil {
		return // it is gone
	}
	for _, s := range v.Segments {
		_ = v.Walk(s, func(Piece) error { return nil }) // as above
	}
}
