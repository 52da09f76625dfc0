package delivery

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// feed sends one good batch per second for a time.
func (s *stand) feed(t *testing.T, d time.Duration) {
	t.Helper()
	for i := range int(d.Seconds()) {
		require.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprint("live", i))))
		time.Sleep(time.Second)
	}
}

// A record that fails retryably goes to the dead letter after three failures alone, and only while nine of ten others pass.
func TestRetryablePoisonNeedsOthersToPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		well, others := false, 0
		s := newStand(t, func(_ context.Context, name string) error {
			if name != "bad" {
				others++
			}
			if name == "bad" || !well && others%3 == 0 {
				return answeredWith(500)
			}
			return nil
		}, func(set *standSettings) { set.threshold = [2]int{1000, 1} })
		require.NoError(t, s.Consume(context.Background(), s.batch("bad")))
		s.feed(t, 5*time.Minute)
		assert.Zero(t, s.sums.sum(&s.sums.deadLettered), "one of three requests fails")
		well = true
		s.feed(t, time.Minute)
		assert.Equal(t, []string{"bad"}, s.namesIn(t, s.dead))
		assert.True(t, s.log.Empty())
		s.stop(t)
	})
}

// A record that is refused as "one batch or all" waits while others pass it. It goes to the dead letter after the third
// refusal, a minute after the first.
func TestRefusedRecordWaitsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at guarded[time.Duration]
		begun := time.Now()
		s := newStand(t, func(_ context.Context, name string) error {
			if name == "bad" {
				at.add(time.Since(begun))
				return answeredWith(403)
			}
			return nil
		})
		require.NoError(t, s.Consume(context.Background(), s.batch("bad")))
		s.feed(t, 59*time.Second)
		assert.Equal(t, 2*59, s.sums.sum(&s.sums.direct), "others pass")
		assert.Zero(t, s.sums.sum(&s.sums.deadLettered))
		s.feed(t, 10*time.Second)
		assert.Equal(t, []string{"bad"}, s.namesIn(t, s.dead))
		assert.Len(t, at.all(), 3)
		assert.GreaterOrEqual(t, at.all()[2], refusedPoisonAfter)
		s.stop(t)
	})
}

// While a signal waits, replay probes after 1, 2, 4, 8 and then every 10 s.
func TestProbesOfASignalThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at guarded[time.Duration]
		var begun time.Time
		s := newStand(t, func(context.Context, string) error {
			at.add(time.Since(begun).Round(100 * time.Millisecond))
			return answeredWith(401)
		})
		begun = time.Now()
		for i := range 8 {
			require.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprint(i))))
		}
		time.Sleep(50 * time.Second)
		synctest.Wait()
		var waits []time.Duration
		for i, all := 1, at.all(); i < len(all); i++ {
			if wait := all[i] - all[i-1]; wait >= time.Second {
				waits = append(waits, wait)
			}
		}
		// Replay waits a second for live data when it is live data's turn.
		assert.Equal(t, []time.Duration{1e9, 2e9, 5e9, 8e9, 10e9, 11e9}, waits[:6])
		require.Error(t, s.troubles.all()[0], "the signal waits for somebody")
		assert.Zero(t, s.sums.sum(&s.sums.deadLettered))
		s.stop(t)
	})
}

// A record that the dead letter has no room for stays in the log. Others pass it, in strict order too.
func TestFullDeadLetterIsPassedOver(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprint("strict=", strict), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bad, good guarded[string]
				var last atomic.Int64 // in Unix nanoseconds
				s := outage(t, []string{"a", "bad1", "b", "bad2", "c"}, func(_ context.Context, name string) error {
					if strings.Contains(name, "bad") {
						bad.add(name)
						return answeredWith(400)
					}
					good.add(name)
					last.Store(time.Now().UnixNano())
					return nil
				}, func(set *standSettings) { set.Strict, set.deadMax = strict, 1 })
				begun := time.Now()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				assert.ElementsMatch(t, []string{"a", "b", "c"}, good.all())
				assert.Less(t, time.Unix(0, last.Load()).Sub(begun), deadLetterRetry, "nothing waits for the dead letter")
				assert.Zero(t, s.sums.sum(&s.sums.deadLettered, &s.sums.dropped))
				assert.False(t, s.log.Empty(), "the log keeps what is passed over")
				assert.Less(t, len(bad.all()), 30, "each is tried once a minute")
				s.stop(t)
			})
		})
	}
}
