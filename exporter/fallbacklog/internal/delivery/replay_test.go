package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var errRefused = status.Error(codes.InvalidArgument, "")

func permanentIfRefused(set *standSettings) {
	set.Permanent = func(err error) bool { return status.Code(err) == codes.InvalidArgument }
}

func coalescing(set *standSettings) { set.CoalesceBytes = 1 << 20 }

// outage logs batches while the downstream is away. Then the downstream is back and answers with then.
func outage(t *testing.T, names []string, then func(ctx context.Context, name string) error, change ...func(*standSettings)) *stand {
	t.Helper()
	var back atomic.Bool
	s := newStand(t, func(ctx context.Context, name string) error {
		if !back.Load() {
			return errAway
		}
		return then(ctx, name)
	}, change...)
	for _, name := range names {
		require.NoError(t, s.Consume(context.Background(), s.batch(name)))
	}
	synctest.Wait()
	back.Store(true)
	return s
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return names
}

// Small records go out together, in their order, each once.
func TestCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took guarded[string]
		s := outage(t, numbered(100), func(_ context.Context, name string) error {
			took.add(name)
			return nil
		}, coalescing)
		time.Sleep(time.Minute)
		synctest.Wait()
		names := strings.Fields(strings.Join(took.all(), " "))
		assert.ElementsMatch(t, numbered(100), names)
		// The outage's probe may have sent the first record already. It is sent again behind those that have not failed.
		names = slices.DeleteFunc(names, func(name string) bool { return name == "0" })
		assert.Equal(t, numbered(100)[1:], names)
		assert.Less(t, len(took.all()), 10, "requests")
		assert.Equal(t, 200, s.sums.sum(&s.sums.replayed))
		s.stop(t)
	})
}

// A request is as large as allowed, and no larger.
func TestCoalesceUpToASize(t *testing.T) {
	w := window{minRecords: windowMin, maxBytes: 1000}
	for _, size := range []int{40, 60, 1, 200, 99, 99} {
		p := &pending{}
		p.entry.Record = make([]byte, size)
		w.add(p)
	}
	var sizes []int
	for len(w.records) > 0 {
		c := replayRequest{records: w.choose(time.Time{}, 100)}
		sizes = append(sizes, len(c.records))
		for _, p := range c.records {
			w.removeDone(p)
		}
	}
	assert.Equal(t, []int{2, 1, 1, 1, 1}, sizes)
	assert.Zero(t, w.bytes)
}

// Records with different metadata are in different requests.
func TestCoalesceKeepsMetadataApart(t *testing.T) {
	w := window{minRecords: windowMin, maxBytes: 1000}
	for _, tenant := range []string{"a", "a", "b", "", "", "a"} {
		p := &pending{}
		if tenant != "" {
			p.metadata = map[string][]string{"tenant": {tenant}}
		}
		w.add(p)
	}
	var sizes []int
	for len(w.records) > 0 {
		c := replayRequest{records: w.choose(time.Time{}, 100)}
		sizes = append(sizes, len(c.records))
		for _, p := range c.records {
			w.removeDone(p)
		}
	}
	assert.Equal(t, []int{2, 1, 2, 1}, sizes)
}

// Replay finds the one record at fault, however it is refused. The records that went out with it arrive once.
func TestCoalescedPoisonIsFound(t *testing.T) {
	for name, refusal := range map[string]error{"permanent": errRefused, "retryable": errors.New("no")} {
		for _, at := range []int{0, 13, 39} {
			t.Run(fmt.Sprint(name, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var took guarded[string]
					bad := fmt.Sprint(at)
					s := outage(t, numbered(40), func(_ context.Context, name string) error {
						if slices.Contains(strings.Fields(name), bad) {
							return refusal
						}
						took.add(name)
						return nil
					}, coalescing, permanentIfRefused, func(set *standSettings) { set.Concurrency = 2 })
					for i := range 100 { // live data shows that the downstream works
						time.Sleep(time.Minute)
						require.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprint("live", i))))
					}
					synctest.Wait()
					assert.True(t, s.log.Empty())
					assert.Equal(t, 2, s.sums.sum(&s.sums.deadLettered))
					got := map[string]int{}
					for _, names := range took.all() {
						for _, name := range strings.Fields(names) {
							got[name]++
						}
					}
					for _, name := range numbered(40) {
						want := 1
						if name == bad {
							want = 0
						}
						assert.Equal(t, want, got[name], name)
					}
					s.stop(t)
				})
			})
		}
	}
}

// An outage halves a request once, however long it lasts.
func TestOutageHalvesOnce(t *testing.T) {
	p := &pending{}
	for range 100 {
		p.noteFailure(64, 7, false)
	}
	assert.Equal(t, 32, p.maxTogether)
	p.noteFailure(32, 8, false)
	assert.Equal(t, 16, p.maxTogether)
}

// A refusal of several records counts for none of them: only five different records refused alone make the signal wait.
func TestRefusedTogetherIsNobodysRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := outage(t, numbered(40), func(context.Context, string) error { return errRefused }, coalescing, permanentIfRefused)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, 2*(fiveRefusals-1), s.sums.sum(&s.sums.deadLettered), "then the signal waits")
		s.stop(t)
	})
}

// Replay has as many requests in flight as allowed. A slow one delays no other, and its segment is deleted when it is done.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var out, most atomic.Int64
		s := outage(t, numbered(20), func(ctx context.Context, name string) error {
			n := out.Add(1)
			defer out.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if name == "3" { // the first ones close the breaker
				select {
				case <-release:
				case <-ctx.Done():
					return ctx.Err()
				}
			} else {
				time.Sleep(time.Millisecond)
			}
			return nil
		}, func(set *standSettings) { set.Concurrency, set.Timeout = 3, time.Hour })
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.EqualValues(t, 3, most.Load())
		assert.Less(t, s.sums.sum(&s.sums.replayed), 40)
		assert.Positive(t, s.sums.sum(&s.sums.replayed), "the others are delivered")
		close(release)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.True(t, s.log.Empty())
		assert.Equal(t, 40, s.sums.sum(&s.sums.replayed))
		s.stop(t)
	})
}

// A downstream that throttles gets one request at a time.
func TestThrottledReplayIsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, calls atomic.Int64
		s := outage(t, numbered(50), func(context.Context, string) error {
			n := out.Add(1)
			defer out.Add(-1)
			c := calls.Add(1)
			time.Sleep(time.Millisecond)
			if c <= 10 {
				return status.Error(codes.ResourceExhausted, "")
			}
			if c <= 30 {
				assert.EqualValues(t, 1, n)
			}
			return nil
		}, func(set *standSettings) { set.Concurrency = 4 })
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.True(t, s.log.Empty())
		assert.Equal(t, 100, s.sums.sum(&s.sums.replayed))
		s.stop(t)
	})
}

// A record that is too old when it is its turn is deleted. In the outage it is kept.
func TestMaxItemAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDownstreamAway()
		s := newStand(t, d.answer, func(set *standSettings) { set.MaxItemAge, set.MaxOpenInterval = time.Hour, 10*time.Second })
		require.NoError(t, s.Consume(context.Background(), s.batch("old")))
		time.Sleep(59 * time.Minute)
		require.NoError(t, s.Consume(context.Background(), s.batch("new")))
		synctest.Wait()
		assert.Zero(t, s.sums.sum(&s.sums.expired))
		time.Sleep(2 * time.Minute)
		d.away.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []string{"new"}, d.accepted.all())
		assert.Equal(t, 2, s.sums.sum(&s.sums.expired))
		assert.True(t, s.log.Empty())
		s.stop(t)
	})
}

// After random outages, hangs, throttling and refusals under load from several callers the ledger balances and no batch is
// missing.
func TestLedgerUnderRandomOutages(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dice := newDice(seed, 5)
				var mu sync.Mutex
				mood := 0
				took := 0
				s := newStand(t, func(ctx context.Context, name string) error {
					luck := dice.below(4)
					mu.Lock()
					mood := mood
					mu.Unlock()
					switch {
					case strings.Contains(name, "bad"):
						return errRefused
					case mood == 1:
						return errAway
					case mood == 2:
						<-ctx.Done()
						return ctx.Err()
					case mood == 3 && luck > 0: // flapping
						return []error{errAway, status.Error(codes.ResourceExhausted, ""), status.Error(codes.Unavailable, "")}[luck-1]
					}
					time.Sleep(time.Duration(luck) * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					took += itemsOf(name)
					return nil
				}, permanentIfRefused, func(set *standSettings) {
					set.Concurrency, set.CoalesceBytes = 1+dice.below(4), dice.below(3)*500
					set.Strict = seed%4 == 3
				})
				var callers sync.WaitGroup
				sent := 0
				for phase := range 12 {
					next := dice.below(4)
					mu.Lock()
					mood = next
					mu.Unlock()
					for c := range 3 {
						n := dice.below(10)
						bad := dice.below(8) == 0
						sent += n
						callers.Add(1)
						go func() {
							defer callers.Done()
							for i := range n {
								name := fmt.Sprintf("%d/%d/%d", phase, c, i)
								if bad && i == 0 {
									name += "/bad"
								}
								assert.NoError(t, s.Consume(context.Background(), s.batch(name)))
							}
						}()
					}
					time.Sleep(time.Duration(1+dice.below(100)) * time.Second)
				}
				mu.Lock()
				mood = 0
				mu.Unlock()
				callers.Wait()
				for i := range 20 {
					time.Sleep(time.Hour)
					sent++
					require.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprint("live", i))))
				}
				synctest.Wait()
				sums := s.sums
				assert.True(t, s.log.Empty())
				assert.Equal(t, 2*sent, sums.sum(&sums.received))
				assert.Equal(t, sums.sum(&sums.received), sums.sum(&sums.direct, &sums.replayed, &sums.deadLettered), "the ledger")
				assert.Equal(t, sums.sum(&sums.direct, &sums.replayed), took, "all of it, and nothing twice")
				s.stop(t)
			})
		})
	}
}
