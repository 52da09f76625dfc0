package delivery

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// An outage and its end without a Collector: attempts, breaker, log, probe, and replay in order.
func TestOutageAndReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDownstreamAway()
		s := newStand(t, d.answer)
		for i := range 5 {
			require.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprint(i))))
		}
		synctest.Wait()
		assert.Equal(t, []bool{true}, s.outages.all())
		assert.Equal(t, 10, s.sums.sum(&s.sums.logged))
		assert.Empty(t, d.accepted.all())

		d.away.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.ElementsMatch(t, []string{"0", "1", "2", "3", "4"}, d.accepted.all())
		assert.Equal(t, 10, s.sums.sum(&s.sums.replayed))
		assert.True(t, s.log.Empty())
		assert.Equal(t, []bool{true, false}, s.outages.all())
		require.NoError(t, s.Consume(context.Background(), s.batch("live")))
		assert.Equal(t, 2, s.sums.sum(&s.sums.direct))
		assert.Equal(t, s.sums.sum(&s.sums.received), s.sums.sum(&s.sums.direct, &s.sums.replayed))
		s.stop(t)
		require.ErrorIs(t, s.Consume(context.Background(), s.batch("late")), ErrShutdown)
	})
}

// The error of a batch that was not attempted names only the log's failure: while the breaker is open no attempt is made.
func TestRejectionWithoutAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, func(context.Context, string) error { return errAway }, func(set *standSettings) { set.Replay = false })
		for range 2 {
			require.NoError(t, s.Consume(context.Background(), s.batch("x")))
		}
		require.NoError(t, s.log.Close())
		require.EqualError(t, s.Consume(context.Background(), s.batch("x")), "neither delivered nor logged: "+segment.ErrClosed.Error())
		s.stop(t)
	})
}

// The pauses between attempts grow by the multiplier. No pause follows the last attempt.
func TestPausesBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var at guarded[time.Duration]
		s := newStand(t, func(context.Context, string) error {
			at.add(time.Since(begun))
			return errAway
		}, func(set *standSettings) { set.MaxAttempts, set.Replay = 3, false })
		require.NoError(t, s.Consume(context.Background(), s.batch("x")))
		assert.Equal(t, []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond}, at.all())
		assert.Equal(t, 300*time.Millisecond, time.Since(begun))
		s.stop(t)
	})
}

// Items that the downstream rejects in an accepted batch are counted once and not sent again, live and from the log.
func TestPartialSuccessIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var calls atomic.Int64
		away.Store(true)
		s := newStand(t, func(context.Context, string) error {
			if away.Load() {
				return errAway
			}
			calls.Add(1)
			return errPartly
		})
		require.NoError(t, s.Consume(context.Background(), s.batch("logged")))
		away.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.NoError(t, s.Consume(context.Background(), s.batch("live")))
		assert.EqualValues(t, 2, calls.Load())
		assert.Equal(t, []int{1, 1, 2}, []int{s.sums.sum(&s.sums.replayed), s.sums.sum(&s.sums.direct), s.sums.sum(&s.sums.dropped)})
		assert.Equal(t, s.sums.sum(&s.sums.received), s.sums.sum(&s.sums.direct, &s.sums.replayed, &s.sums.dropped))
		assert.True(t, s.log.Empty())
		s.stop(t)
	})
}
