package metricsudp

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
)

// The clock is that of the synctest bubble: it advances when all goroutines wait.
func TestShutdownStaysWithinItsBudget(t *testing.T) {
	for name, hang := range map[string]func(ctx context.Context, forever <-chan struct{}) error{
		"refusing":            func(context.Context, <-chan struct{}) error { return errors.New("busy") },
		"hanging":             func(ctx context.Context, _ <-chan struct{}) error { <-ctx.Done(); return ctx.Err() },
		"deaf to its context": func(_ context.Context, forever <-chan struct{}) error { <-forever; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forever := make(chan struct{})
				next, err := consumer.NewMetrics(func(ctx context.Context, _ pmetric.Metrics) error { return hang(ctx, forever) })
				require.NoError(t, err)
				r := start(t, next, func(c *Config) { c.Readers = 1 })
				r.send(t, "a:1|c")
				began := time.Now()
				require.ErrorIs(t, r.Shutdown(context.Background()), flush.ErrNotHandedOn)
				took := time.Since(began)
				assert.LessOrEqual(t, took, shutdown.Receiver)
				assert.GreaterOrEqual(t, took, shutdown.Receiver/2, "the pipeline is given time")
				close(forever)
			})
		})
	}
}

// If the socket stayed open while the pipeline accepts the last interval, its datagrams would be lost without an error at the
// sender.
func TestShutdownClosesTheSocketsBeforeThePipelineIsDone(t *testing.T) {
	offered, release := make(chan struct{}), make(chan struct{})
	next, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error {
		close(offered)
		<-release
		return nil
	})
	require.NoError(t, err)
	r := start(t, next, func(c *Config) { c.Readers = 1 })
	addr := r.addr().String()
	r.send(t, "a:1|c")
	var stopping sync.WaitGroup
	stopping.Go(func() { assert.NoError(t, r.Shutdown(context.Background())) })
	<-offered
	again, err := net.ListenPacket("udp", addr)
	close(release)
	stopping.Wait()
	require.NoError(t, err, "the port is free")
	require.NoError(t, again.Close())
}
