package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A shutdown without time ends without an error if the wrapped exporter has no batch.
func TestShutdownWithoutTime(t *testing.T) {
	for name, answer := range map[string]error{"idle": nil, "waiting for the breaker": errAway} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStand(t, func(context.Context, string) error { return answer })
				for range 3 {
					require.NoError(t, s.Consume(context.Background(), s.batch("x")))
				}
				synctest.Wait()
				begun := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 0)
				defer cancel()
				require.NoError(t, s.Shutdown(ctx))
				require.Zero(t, time.Since(begun))
			})
		})
	}
}
