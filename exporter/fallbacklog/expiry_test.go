package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
)

func throttled(t testing.TB, wait time.Duration) error {
	t.Helper()
	st, err := status.New(codes.ResourceExhausted, "").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	require.NoError(t, err)
	return st.Err()
}

// A record expires at its age, whatever replay waits for: an open breaker, or a time that the downstream has asked for.
func TestExpiryInAnOutage(t *testing.T) {
	for name, answer := range map[string]error{
		"open breaker": status.Error(codes.Unauthenticated, ""), // this answer opens it for max_open_interval
		"retry info":   throttled(t, 100*time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{answer: func(context.Context, plog.Logs) error { return answer }}
				l := startScripted(t, s, map[string]any{
					"circuit_breaker": map[string]any{"failure_threshold": 100, "open_interval": "10h", "max_open_interval": "10h"},
					"log":             map[string]any{"max_age": "1h"},
				})
				for i := range 12 { // more than the window contains
					require.NoError(t, consumeLog(context.Background(), l, s, fmt.Sprint(i)))
					time.Sleep(time.Minute)
				}
				time.Sleep(47 * time.Minute) // the first was written 59 minutes ago
				synctest.Wait()
				assert.False(t, l.log.Empty())
				assert.Zero(t, l.log.Cursor().Offset)
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Positive(t, l.log.Cursor().Offset, "the oldest is gone")
				time.Sleep(11 * time.Minute)
				synctest.Wait()
				assert.True(t, l.log.Empty(), "all are gone")
			})
		})
	}
}

// A downstream that asks for more than max_open_interval gets the next request after max_open_interval.
func TestRetryInfoIsCapped(t *testing.T) {
	for name, asks := range map[string]error{
		"RetryInfo": throttled(t, 1000*time.Hour),
		"Retry-After of 429": &answer.Error{
			Err: errors.New("refused"), Refusals: []answer.Refusal{{HTTP: 429, RetryAfter: 1000 * time.Hour}},
		},
		"Retry-After of 503": &answer.Error{
			Err: errors.New("refused"), Refusals: []answer.Refusal{{HTTP: 503, RetryAfter: 1000 * time.Hour}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				s := &scripted{answer: func(context.Context, plog.Logs) error {
					if calls.Add(1) <= 2 { // the live attempt, and the first replay, which also waits as long as live data was asked to
						return asks
					}
					return nil
				}}
				l := startScripted(t, s, map[string]any{
					"circuit_breaker": map[string]any{"failure_threshold": 100, "open_interval": "1m", "max_open_interval": "2m"},
				})
				require.NoError(t, consumeLog(context.Background(), l, s, "x"))
				for n := range int64(2) {
					synctest.Wait()
					require.Equal(t, n+1, calls.Load())
					time.Sleep(2*time.Minute - 1)
					synctest.Wait()
					require.Equal(t, n+1, calls.Load(), "it is given what it asks for, up to the cap")
					time.Sleep(time.Nanosecond)
				}
				synctest.Wait()
				assert.True(t, l.log.Empty())
			})
		})
	}
}

// A caller with enough time waits as long as the downstream asks, up to the limit.
func TestLiveDataWaitsForTheDownstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		s := &scripted{answer: func(context.Context, plog.Logs) error {
			if calls.Add(1) == 1 {
				return throttled(t, 1000*time.Hour)
			}
			return nil
		}}
		l := startScripted(t, s, map[string]any{
			"budget": "10m", "circuit_breaker": map[string]any{"open_interval": "1m", "max_open_interval": "2m"},
		})
		begun := time.Now()
		require.NoError(t, consumeLog(context.Background(), l, s, "x"))
		assert.Equal(t, 2*time.Minute, time.Since(begun))
		assert.True(t, l.log.Empty(), "it was delivered")
	})
}
