package flush

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// A refused batch is offered again until it is accepted. It is unchanged even if the consumer has changed the batch that it was
// offered.
func TestRetryableErrorLosesNothing(t *testing.T) {
	for _, mutates := range []bool{false, true} {
		t.Run(fmt.Sprint("mutates=", mutates), func(t *testing.T) {
			r := newRig(t, func(_ *series.Options, _ *Builder, s *SenderOptions) { s.Mutates = mutates })
			refusals := 3
			r.answer(func(_ context.Context, md pmetric.Metrics) error {
				if refusals == 0 {
					return nil
				}
				refusals--
				if mutates {
					md.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { return true })
				}
				return errRetryable
			})
			r.send(0, "a:1|c")
			r.flushAt(5)
			r.send(1, "a:2|c")
			r.flushAt(10)
			require.NoError(t, r.stop(context.Background(), 15))
			assert.Equal(t, int64(3), total(r.sums("a")))
			assert.GreaterOrEqual(t, r.offered, 4)
		})
	}
}

func TestPermanentErrorEndsTheBatchOnly(t *testing.T) {
	r := newRig(t, nil)
	r.answer(func(context.Context, pmetric.Metrics) error { return errors.New("never") })
	r.send(0, "a:1|c")
	r.flushAt(5)
	r.consumed()
	assert.Equal(t, 1, r.offered)
	r.answer(nil)
	r.send(0, "a:2|c")
	require.NoError(t, r.stop(context.Background(), 10))
	points := r.sums("a")
	require.Len(t, points, 1)
	assert.Equal(t, int64(2), points[0].IntValue())
	assert.Equal(t, 5, seconds(points[0].StartTimestamp()))
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	release := make(chan struct{})
	for name, consume := range map[string]func(context.Context, pmetric.Metrics) error{
		"refusing":            func(context.Context, pmetric.Metrics) error { return errRetryable },
		"hanging":             func(ctx context.Context, _ pmetric.Metrics) error { <-ctx.Done(); return ctx.Err() },
		"deaf to its context": func(context.Context, pmetric.Metrics) error { <-release; return errRetryable },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.answer(consume)
			r.send(0, "a:1|c")
			r.flushAt(5)
			r.send(0, "a:1|c\nb:1|c")
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			require.ErrorIs(t, r.stop(ctx, 10), ErrNotHandedOn)
		})
	}
	close(release)
}

func TestShutdownOfAnIdleFlusher(t *testing.T) {
	r := newRig(t, nil)
	require.NoError(t, r.stop(context.Background(), 5))
	assert.Zero(t, r.offered, "an empty batch is not handed on")
}

// A consumer that recovers is offered the batch again soon, even with a long interval, and within the time of a shutdown.
func TestPausesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Time
		s := NewSender(SenderOptions{
			Consume: func(context.Context, Batch, int) error {
				attempts = append(attempts, time.Now())
				return errRetryable
			},
			Retryable: func(error) bool { return true },
			MaxPause:  24 * time.Hour,
		})
		_, ok := s.TryReserve()
		require.True(t, ok)
		batch := pmetric.NewMetrics()
		batch.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
		s.Send([]offer{s.newOffer(Batch{Metrics: batch})})
		time.Sleep(10 * time.Minute)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		require.Equal(t, 1, s.Close(ended))
		require.Greater(t, len(attempts), 10)
		for i := range len(attempts) - 1 {
			assert.LessOrEqual(t, attempts[i+1].Sub(attempts[i]), 5*time.Second)
		}
	})
}
