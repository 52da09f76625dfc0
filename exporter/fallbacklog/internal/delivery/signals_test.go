package delivery

import (
	"context"
	"fmt"
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

// The downstream behaves differently towards each of three signals: it accepts, is away, hangs, does not know the signal,
// throttles, or refuses some batches. When it accepts all again everything arrives in bounded time, the breakers close, and the
// status is OK.
func TestSignalsUnderRandomOutages(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dice := newDice(seed, 9)
				var moods [3]atomic.Int64
				var took [3]atomic.Int64 // items
				answer := func(signal int) func(context.Context, string) error {
					return func(ctx context.Context, name string) error {
						switch moods[signal].Load() {
						case 1:
							return errAway
						case 2:
							<-ctx.Done()
							return ctx.Err()
						case 3:
							return status.Error(codes.Unimplemented, "")
						case 4:
							if dice.below(2) == 0 {
								return status.Error(codes.ResourceExhausted, "")
							}
						case 5:
							if strings.Contains(name, "7") {
								return errRefused
							}
						}
						took[signal].Add(int64(itemsOf(name)))
						return nil
					}
				}
				order := func(set *standSettings) {
					set.Concurrency, set.CoalesceBytes, set.Strict = 1+dice.below(3), dice.below(2)*500, seed%5 == 4
				}
				first := newStand(t, answer(0), permanentIfRefused, order)
				signals := []*stand{first, first.another(t, answer(1), nil), first.another(t, answer(2), nil)}
				var callers sync.WaitGroup
				for phase := range 10 {
					for n, s := range signals {
						moods[n].Store(int64(dice.below(6)))
						batches := dice.below(8)
						callers.Go(func() {
							for i := range batches {
								assert.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprintf("%d/%d", phase, i))))
							}
						})
					}
					time.Sleep(time.Duration(1+dice.below(200)) * time.Second)
				}
				callers.Wait()
				for n := range moods {
					moods[n].Store(0)
				}
				for range 30 { // live data, at times
					time.Sleep(time.Minute)
					for _, s := range signals {
						require.NoError(t, s.Consume(context.Background(), s.batch("live")))
					}
				}
				synctest.Wait()
				for n, s := range signals {
					sums := s.sums
					assert.True(t, s.log.Empty(), "signal %d", n)
					assert.Equal(t, sums.sum(&sums.received), sums.sum(&sums.direct, &sums.replayed, &sums.deadLettered), "signal %d", n)
					assert.EqualValues(t, sums.sum(&sums.direct, &sums.replayed), took[n].Load(), "nothing twice")
					assert.Zero(t, s.refusalBreaker.State())
				}
				assert.Zero(t, first.group.breaker.State())
				changes := first.outages.all()
				for i, begins := range changes {
					assert.Equal(t, i%2 == 0, begins, "they alternate")
				}
				assert.Zero(t, len(changes)%2, "it is well in the end")
				for _, s := range signals {
					s.stop(t)
				}
			})
		})
	}
}
