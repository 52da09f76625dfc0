package segment

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever may be called concurrently is, beside the worker that compresses.
func TestStress(t *testing.T) {
	for _, c := range []struct {
		newest, taken bool
		sync          SyncMode
	}{{false, false, SyncNone}, {true, false, SyncInterval}, {false, true, SyncBatch}, {true, true, SyncNone}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			opt := packOptions(t.TempDir() + "/log")
			opt.Compress, opt.Sync, opt.NewestFirst = true, c.sync, c.newest
			opt.SyncInterval = time.Millisecond
			opt.Budget = &Budget{Max: 40 * opt.MaxSegmentBytes, Headroom: opt.MaxSegmentBytes / 4}
			l := open(t, opt)
			const n, writers = 400, 4
			var mu sync.Mutex
			seen, acked := map[string]int{}, map[string]bool{}
			note := func(r []byte) {
				mu.Lock()
				defer mu.Unlock()
				seen[string(r[:8])]++
			}
			var writing sync.WaitGroup
			for w := range writers {
				writing.Go(func() {
					for k := range n {
						r := fmt.Sprintf("%d %06d", w, k)
						err := l.Append(frame(fmt.Sprintf("%s %s", r, strings.Repeat("text ", 20))))
						for err != nil {
							if !c.taken {
								assert.ErrorIs(t, err, ErrFull)
							}
							if k%3 == 0 {
								made, derr := l.DropOldest(note)
								if !c.taken {
									assert.NoError(t, derr)
								}
								_ = made
							}
							err = l.Append(frame(fmt.Sprintf("%s %s", r, strings.Repeat("text ", 20))))
						}
						mu.Lock()
						acked[r] = true
						mu.Unlock()
					}
				})
			}
			var written, stop atomic.Bool
			var others sync.WaitGroup
			others.Go(func() {
				var held []Entry
				for {
					was := written.Load()
					e, ok, err := l.Next()
					if err != nil {
						assert.True(t, c.taken, err)
						continue
					}
					if !ok {
						for _, e := range held {
							_ = l.Done(e)
						}
						held = nil
						if was {
							return
						}
						continue
					}
					note(e.Record)
					held = append(held, e)
					if len(held) > 20 {
						for k := len(held) - 1; k >= 0; k -= 2 {
							_ = l.Done(held[k])
							held = append(held[:k], held[k+1:]...)
						}
					}
				}
			})
			every := func(f func()) {
				others.Go(func() {
					for !stop.Load() {
						f()
						time.Sleep(time.Millisecond)
					}
				})
			}
			every(func() { _ = l.Tend() })
			every(func() { l.Stats(); l.Cursor(); l.Empty() })
			every(func() {
				v, err := Look(OS{}, opt.Dir, testKind)
				if err != nil {
					return
				}
				for _, s := range v.Segments {
					_ = v.Walk(s, func(Piece) error { return nil })
				}
			})
			every(func() {
				if c.taken {
					_ = os.RemoveAll(opt.Dir)
					time.Sleep(5 * time.Millisecond)
				}
			})
			writing.Wait()
			written.Store(true)
			time.Sleep(20 * time.Millisecond)
			stop.Store(true)
			others.Wait()
			if !c.taken {
				for r := range acked {
					require.Equal(t, 1, seen[r], r)
				}
				assert.True(t, l.Empty())
			}
			require.NoError(t, l.Tend())
			require.NoError(t, l.Close())
			assert.Equal(t, onDisk(t, opt.Dir), opt.Budget.Used())
			t.Log(len(seen), l.Stats())
		})
	}
}
