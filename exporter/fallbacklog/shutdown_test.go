package fallbacklog

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
)

// A wrapped exporter that ignores its context, in an attempt or in its own Shutdown, costs no data and at most the component's
// share of the time. The error counts the batches that it still had.
func TestShutdownOfADeafExporter(t *testing.T) {
	for name, tc := range map[string]struct{ attempt, replay, stop bool }{
		"in attempts":     {attempt: true},
		"in a replay":     {replay: true},
		"in its Shutdown": {stop: true},
		"in all of them":  {attempt: true, replay: true, stop: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				let := make(chan struct{})
				var deaf atomic.Bool
				s := &scripted{answer: func(context.Context, plog.Logs) error {
					if !deaf.Load() {
						return status.Error(codes.Unauthenticated, "")
					}
					<-let
					return nil
				}}
				if tc.stop {
					s.ShutdownFunc = func(context.Context) error {
						<-let
						return nil
					}
				}
				f := NewFactory()
				dir := t.TempDir()
				cfg := loadConfig(t, testSettings(dir), toScripted,
					map[string]any{"timeout": "1h", "budget": "1h", "replay": map[string]any{"enabled": tc.replay}})
				set := exporterSettings(t, f)
				e, err := f.CreateLogs(context.Background(), set, cfg)
				require.NoError(t, err)
				require.NoError(t, e.Start(context.Background(), newTestHost(s.factory())))
				records := 0
				if tc.replay {
					require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs("r", 1)), "to the log")
					synctest.Wait()
					deaf.Store(true)
					time.Sleep(time.Minute) // replay probes
					records++
				}
				synctest.Wait()
				deaf.Store(true)
				answers := make(chan error, 3)
				if tc.attempt {
					for i := range cap(answers) {
						go func() {
							answers <- e.ConsumeLogs(context.Background(), makeLogs(fmt.Sprint(i), 2))
						}()
						records += 2
					}
					synctest.Wait()
				}
				begun := time.Now()
				err = e.Shutdown(context.Background())
				assert.LessOrEqual(t, time.Since(begun), shutdown.Exporter)
				require.ErrorIs(t, err, delivery.ErrAbandoned)
				if tc.attempt && !tc.replay {
					require.ErrorContains(t, err, "3 batches of logs (6 items), 3 of them in the log, and 0 records")
				}
				lock, err := segment.OS{}.Lock(filepath.Join(dir, component.NewID(f.Type()).String(), "lock"))
				require.NoError(t, err, "the directory is free again")
				require.NoError(t, lock.Close())
				items, _ := onDisk(t, dir, "logs", false)
				assert.Equal(t, records, items, "nothing is missing")

				close(let)
				synctest.Wait()
				if tc.attempt {
					for range cap(answers) {
						require.NoError(t, <-answers, "it is in the log")
					}
				}
				items, _ = onDisk(t, dir, "logs", false)
				assert.Equal(t, records, items, "late answers change nothing")
			})
		})
	}
}

// The Collector shuts the signals down one after the other. Together they need at most the time of one exporter.
func TestSignalsShareTheShutdownTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := newCore(loadConfig(t, testSettings(t.TempDir())), exporterSettings(t, NewFactory()))
		require.NoError(t, err)
		begun := time.Now()
		for range 3 {
			ctx, done := c.shutdownTime(context.Background())
			select {
			case <-ctx.Done():
			case <-time.After(3 * time.Second):
			}
			done()
		}
		assert.Equal(t, shutdown.Exporter, time.Since(begun))
		require.NoError(t, c.close())
	})
}
