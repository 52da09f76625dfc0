package delivery

import (
	"context"
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

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

func strict(set *standSettings) { set.Strict = true }

// In strict order the downstream sees the batches in the order in which they came, from one caller or from several that
// alternate, if it accepts at least one in five.
func TestStrictKeepsTheOrder(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				luck := newDice(seed, 7)
				var mu sync.Mutex
				var took []string
				failures := 0
				s := newStand(t, func(ctx context.Context, name string) error {
					drawn := luck.below(4)
					mu.Lock()
					if failures++; drawn > 1 || failures == escapeFailures {
						drawn, failures = max(drawn, 2), 0
					}
					mu.Unlock()
					switch drawn {
					case 0:
						return errAway
					case 1:
						<-ctx.Done()
						return ctx.Err()
					}
					time.Sleep(time.Duration(drawn) * 200 * time.Millisecond)
					if ctx.Err() != nil {
						return ctx.Err()
					}
					mu.Lock()
					defer mu.Unlock()
					took = append(took, strings.Fields(name)...)
					return nil
				}, strict, func(set *standSettings) { set.Concurrency, set.CoalesceBytes = 4, luck.below(2)*500 })
				var callers sync.WaitGroup
				for i := range 60 {
					maxWait := time.Duration(100+luck.below(6000)) * time.Millisecond
					callers.Add(1)
					go func() {
						defer callers.Done()
						ctx, cancel := context.WithTimeout(context.Background(), maxWait)
						defer cancel()
						assert.NoError(t, s.Consume(ctx, s.batch(fmt.Sprint(i))))
					}()
					synctest.Wait() // the batch is in the queue
					time.Sleep(time.Duration(luck.below(1500)) * time.Millisecond)
				}
				callers.Wait()
				time.Sleep(time.Hour)
				synctest.Wait()
				assert.True(t, s.log.Empty())
				assert.Equal(t, numbered(60), took)
				s.stop(t)
			})
		})
	}
}

// A caller gets its answer within its budget even if a caller before it waits longer.
func TestStrictKeepsTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}, strict, func(set *standSettings) { set.Timeout, set.Budget, set.Replay = time.Hour, time.Hour, true })
		first := make(chan error)
		go func() { first <- s.Consume(context.Background(), s.batch("0")) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		require.NoError(t, s.Consume(ctx, s.batch("1")))
		assert.Less(t, time.Since(begun), 10*time.Second)
		require.NoError(t, <-first, "it went to the log before")
		assert.Equal(t, 4, s.sums.sum(&s.sums.logged))
		s.stop(t)
	})
}

// A caller behind one whose data cannot be logged waits at most twice the budget, or until its deadline.
func TestStrictBehindAHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		thaw := make(chan struct{})
		s := newStandOver(t, func(context.Context, string) error { return errAway }, func(l *segment.Log) Log {
			return Log{&frozenLog{Log: l, thaw: thaw}, l, l}
		}, strict, func(set *standSettings) { set.Budget = 3 * time.Second })
		began := time.Now()
		var callers sync.WaitGroup
		for i := range 10 {
			callers.Go(func() {
				assert.ErrorIs(t, s.Consume(context.Background(), s.batch(fmt.Sprint(i))), segment.ErrStalled)
			})
			synctest.Wait() // the batch is in the queue
		}
		callers.Wait()
		assert.LessOrEqual(t, time.Since(began), 2*3*time.Second)
		assert.Equal(t, 20, s.sums.sum(&s.sums.rejected))
		began = time.Now()
		callers.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			assert.ErrorIs(t, s.Consume(ctx, s.batch("hurried")), segment.ErrStalled)
		})
		callers.Wait()
		assert.LessOrEqual(t, time.Since(began), time.Second)
		close(thaw)
		require.NoError(t, s.Consume(context.Background(), s.batch("after")))
		s.stop(t)
	})
}

// frozenLog accepts nothing until it thaws.
type frozenLog struct {
	*segment.Log
	thaw chan struct{}
}

func (l *frozenLog) AppendBefore(record []byte, limit time.Time) error {
	late := time.NewTimer(time.Until(limit))
	defer late.Stop()
	select {
	case <-l.thaw:
		return l.Log.AppendBefore(record, limit)
	case <-late.C:
		return segment.ErrStalled
	}
}

// A wrapped exporter that ignores its context delays nobody at Shutdown.
func TestStrictShutdownOfADeafExporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var deaf atomic.Int64
		s := newStand(t, func(context.Context, string) error {
			deaf.Add(1)
			<-let
			return nil
		}, strict)
		var callers sync.WaitGroup
		for i := range 5 {
			callers.Add(1)
			go func() {
				defer callers.Done()
				assert.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprint(i))))
			}()
		}
		synctest.Wait()
		assert.EqualValues(t, 1, deaf.Load())
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		require.ErrorIs(t, s.Shutdown(ctx), ErrAbandoned)
		assert.Equal(t, 10, s.sums.sum(&s.sums.logged), "all are in the log")
		close(let)
		callers.Wait()
	})
}

// A caller that cannot wait any longer does not lose its place to newer batches.
func TestStrictUrgentBatchKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}, strict, func(set *standSettings) { set.Timeout, set.Budget = time.Hour, time.Hour })
		var callers sync.WaitGroup
		for i, maxWait := range []time.Duration{time.Hour, 20 * time.Second, 40 * time.Second, 10 * time.Second, time.Hour} {
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), maxWait)
				defer cancel()
				assert.NoError(t, s.Consume(ctx, s.batch(fmt.Sprint(i))))
				assert.NoError(t, ctx.Err())
			})
			synctest.Wait() // the batch is in the queue
		}
		callers.Wait()
		assert.Equal(t, numbered(5), s.logged(t))
		s.stop(t)
	})
}

// A graceful Shutdown logs the waiting batches in the order in which they came.
func TestStrictShutdownKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}, strict, func(set *standSettings) { set.Timeout, set.Budget = time.Hour, time.Hour })
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() { assert.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprint(i)))) })
			synctest.Wait()
		}
		s.stop(t)
		callers.Wait()
		assert.Equal(t, numbered(20), s.logged(t))
	})
}

// While a request is in flight the next ones are decoded, once each. They are sent in their order.
func TestStrictDecodesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests guarded[string]
		s := outage(t, numbered(40), func(_ context.Context, name string) error {
			time.Sleep(time.Minute)
			requests.add(name)
			return nil
		}, strict, func(set *standSettings) { set.Concurrency, set.CoalesceBytes, set.Timeout = 2, 1000, time.Hour })
		inOutage := len(s.decoded.all())
		for len(requests.all()) < 3 {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		assert.Len(t, s.decoded.all(), inOutage+len(requests.all())+3, "the one that is out, and two ahead")
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.True(t, s.log.Empty())
		assert.Equal(t, numbered(40), strings.Fields(strings.Join(requests.all(), " ")))
		assert.Len(t, s.decoded.all(), inOutage+len(requests.all()), "none in vain")
		s.stop(t)
	})
}

// A record that the downstream cannot accept goes to the dead letter when three later records have passed it, even if the
// answers are retryable. The others arrive in their order.
func TestStrictPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took guarded[string]
		s := outage(t, numbered(40), func(_ context.Context, name string) error {
			if slices.Contains(strings.Fields(name), "13") {
				return errAway
			}
			took.add(name)
			return nil
		}, strict, coalescing)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		want := slices.DeleteFunc(numbered(40), func(name string) bool { return name == "13" })
		assert.Equal(t, want, strings.Fields(strings.Join(took.all(), " ")))
		assert.Equal(t, []string{"13"}, s.namesIn(t, s.dead))
		assert.Zero(t, s.sums.sum(&s.sums.late), "what never arrives is not late")
		assert.True(t, s.log.Empty())
		s.stop(t)
	})
}

// Later records that pass in parts show that the head is at fault, as whole records do.
func TestStrictPoisonBeforeRecordsInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := outage(t, numbered(10), func(_ context.Context, name string) error {
			switch {
			case strings.HasPrefix(name, "0"):
				return errAway
			case !strings.Contains(name, "["): // of two items
				return answeredWith(413)
			}
			return nil
		}, strict)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.NotEmpty(t, s.namesIn(t, s.dead))
		assert.Equal(t, 2, s.sums.sum(&s.sums.deadLettered))
		assert.Equal(t, 18, s.sums.sum(&s.sums.replayed))
		assert.True(t, s.log.Empty())
		s.stop(t)
	})
}

// A part of a record is late if it arrives after a later record.
func TestStrictLateInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 0
		s := outage(t, numbered(10), func(_ context.Context, name string) error {
			if name == "0" { // of two items
				return answeredWith(413)
			}
			if name == "0[1:2]" && failures <= escapeFailures {
				failures++
				return errAway
			}
			return nil
		}, strict)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, 1, s.sums.sum(&s.sums.late), "the first item was in time")
		assert.Equal(t, 20, s.sums.sum(&s.sums.replayed))
		assert.True(t, s.log.Empty())
		s.stop(t)
	})
}

// A record that fails five times alone and then passes is late by at most three records, and counts as late.
func TestStrictLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took guarded[string]
		failures := 0
		s := outage(t, numbered(10), func(_ context.Context, name string) error {
			if name == "0" && failures < escapeFailures+1 {
				failures++
				return errAway
			}
			took.add(name)
			return nil
		}, strict)
		time.Sleep(time.Hour)
		synctest.Wait()
		late := slices.Index(took.all(), "0")
		assert.Positive(t, late)
		assert.LessOrEqual(t, late, escapePasses)
		assert.Equal(t, 2, s.sums.sum(&s.sums.late))
		assert.Equal(t, 20, s.sums.sum(&s.sums.replayed))
		assert.Empty(t, s.namesIn(t, s.dead))
		s.stop(t)
	})
}
