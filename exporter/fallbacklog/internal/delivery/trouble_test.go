package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// A component that starts in an outage with a backlog reports that data falls back, although only replay has tried.
func TestStartInAnOutageIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDownstreamAway()
		first := newStand(t, d.answer)
		require.NoError(t, first.Consume(context.Background(), first.batch("backlog")))
		first.stop(t)

		s := newStandIn(t, first.dir, d.answer)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.NoError(t, s.Consume(context.Background(), s.batch("live")))
		assert.Equal(t, []bool{true}, s.outages.all())
		d.away.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, []bool{true, false}, s.outages.all())
		s.stop(t)
	})
}

// unreadable is a log whose Next fails while the test wants it.
type unreadable struct {
	*segment.Log
	broken atomic.Bool
}

var errUnreadable = errors.New("input/output error")

func (u *unreadable) Next() (segment.Entry, bool, error) {
	if u.broken.Load() {
		return segment.Entry{}, false, errUnreadable
	}
	return u.Log.Next()
}

// A log that cannot be read delays neither the records in memory nor live data when the downstream is back.
func TestUnreadableLogDelaysNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDownstreamAway()
		var log *unreadable
		s := newStandOver(t, d.answer, func(l *segment.Log) Log {
			log = &unreadable{Log: l}
			return Log{l, log, l}
		})
		for _, name := range numbered(20) { // more than replay keeps in memory
			require.NoError(t, s.Consume(context.Background(), s.batch(name)))
		}
		time.Sleep(11 * time.Second) // a probe
		synctest.Wait()
		log.broken.Store(true)
		d.away.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.ElementsMatch(t, numbered(windowMin), d.accepted.all(), "what is in memory")
		require.Len(t, s.troubles.all(), 1)
		require.ErrorIs(t, s.troubles.all()[0], errUnreadable)
		require.NoError(t, s.Consume(context.Background(), s.batch("live")))
		assert.Equal(t, 2, s.sums.sum(&s.sums.direct))

		d.away.Store(true)
		for range 10 { // an outage without a record to probe with
			require.NoError(t, s.Consume(context.Background(), s.batch("x")))
		}
		d.away.Store(false)
		time.Sleep(time.Hour)
		require.NoError(t, s.Consume(context.Background(), s.batch("live")))
		assert.Equal(t, 4, s.sums.sum(&s.sums.direct))

		log.broken.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.True(t, s.log.Empty())
		require.Len(t, s.troubles.all(), 2)
		require.NoError(t, s.troubles.all()[1])
		s.stop(t)
	})
}

// Five consecutive refusals make the signal wait. One bad record in each request does not keep it waiting.
func TestBadRecordsOfAWaitingSignalAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := func(name string) bool { return strings.HasSuffix(name, "0") }
		s := outage(t, numbered(200), func(_ context.Context, name string) error {
			for n := range strings.FieldsSeq(name) {
				if bad(n) {
					return errRefused
				}
			}
			return nil
		}, permanentIfRefused, func(set *standSettings) { set.CoalesceBytes = 3000 })
		why := errors.New("refused")
		s.lastRefusal.Store(&why)
		for range fiveRefusals { // as live data does
			s.refusalBreaker.Count()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.True(t, s.log.Empty())
		assert.Equal(t, 2*180, s.sums.sum(&s.sums.replayed))
		assert.Equal(t, 2*20, s.sums.sum(&s.sums.deadLettered))
		s.stop(t)
	})
}

// A wait that the downstream asks live data for also applies to the same data from the log.
func TestLoggedDataWaitsForTheDownstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy, err := status.New(codes.ResourceExhausted, "").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(30 * time.Second)})
		require.NoError(t, err)
		begun := time.Now()
		var at guarded[time.Duration]
		s := newStand(t, func(context.Context, string) error {
			at.add(time.Since(begun))
			if time.Since(begun) < 30*time.Second {
				return busy.Err()
			}
			return nil
		})
		require.NoError(t, s.Consume(context.Background(), s.batch("x")))
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []time.Duration{0, 30 * time.Second}, at.all())
		s.stop(t)
	})
}

// A caller that gives up is no sign of an outage, even if the exporter does not name the cancellation as the cause.
func TestCanceledCallersWithoutAReasonDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return errors.New("no luck")
		}, func(set *standSettings) { set.Replay = false })
		for range 10 {
			ctx, cancel := context.WithCancel(context.Background())
			var caller sync.WaitGroup
			caller.Go(func() { assert.NoError(t, s.Consume(ctx, s.batch("x"))) })
			synctest.Wait()
			cancel()
			caller.Wait()
		}
		assert.Zero(t, s.group.breaker.State())
		s.stop(t)
	})
}

// A signal that the downstream does not know waits alone. The others are delivered.
func TestSystemicErrorOfOneSignalIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var unknown guarded[string]
		s := newStand(t, func(context.Context, string) error { return nil })
		other := s.another(t, func(_ context.Context, name string) error {
			unknown.add(name)
			return status.Error(codes.Unimplemented, "")
		}, nil)
		for i := range 600 {
			time.Sleep(time.Second)
			require.NoError(t, s.Consume(context.Background(), s.batch(fmt.Sprint(i))))
			require.NoError(t, other.Consume(context.Background(), other.batch(fmt.Sprint(i))))
		}
		synctest.Wait()
		assert.Equal(t, 1200, s.sums.sum(&s.sums.direct), "no outage")
		assert.Less(t, len(unknown.all()), 80, "tried every ten seconds")
		assert.Equal(t, 1200, other.sums.sum(&other.sums.logged))
		assert.False(t, other.log.Empty())
		other.stop(t)
		s.stop(t)
	})
}
