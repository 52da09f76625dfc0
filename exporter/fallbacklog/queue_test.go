package fallbacklog

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

func queueing(settings map[string]any) map[string]any {
	return map[string]any{"sending_queue": settings}
}

// The queue is off unless it is configured, and the key `enabled: false` is accepted.
func TestQueueIsOffByDefault(t *testing.T) {
	for name, tc := range map[string]struct {
		settings map[string]any
		on       bool
	}{
		"absent":      {nil, false},
		"disabled":    {queueing(map[string]any{"enabled": false}), false},
		"disabled by": {queueing(map[string]any{"enabled": false, "queue_size": 5}), false},
		"enabled":     {queueing(map[string]any{"enabled": true}), true},
		"by a size":   {queueing(map[string]any{"queue_size": 5}), true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := loadConfig(t, testSettings(t.TempDir()), tc.settings)
			require.NoError(t, confmap.Validate(cfg))
			assert.Equal(t, tc.on, cfg.Queue.HasValue())
			f := NewFactory()
			set := exporterSettings(t, f)
			core, logged := observer.New(zap.WarnLevel)
			set.Logger = zap.New(core)
			e, err := f.CreateLogs(context.Background(), set, cfg)
			require.NoError(t, err)
			_, direct := e.(logsExporter)
			assert.Equal(t, tc.on, !direct)
			require.NoError(t, e.Start(context.Background(), componenttest.NewNopHost()))
			assert.Equal(t, tc.on, logged.FilterMessageSnippet("sending_queue").Len() == 1)
			require.NoError(t, e.Shutdown(context.Background()))
		})
	}
}

func TestQueueRefuses(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		"sending_queue::storage: must be absent":        queueing(map[string]any{"storage": "file_storage"}),
		"sending_queue::queue_size: must be a whole":    queueing(map[string]any{"queue_size": 1.5}),
		"`queue_size` must be positive":                 queueing(map[string]any{"queue_size": 0}),
		"sending_queue::num_consumers: must be 1":       {"sending_queue": map[string]any{"enabled": true}, "replay": map[string]any{"order": "strict"}},
		"sending_queue::batch::partition::metadata_key": {"sending_queue": map[string]any{"batch": map[string]any{}}, "metadata_keys": []any{"tenant"}},
	} {
		conf := confmap.NewFromStringMap(settings)
		cfg := createDefaultConfig().(*Config)
		err := conf.Unmarshal(cfg)
		if err == nil {
			err = confmap.Validate(cfg)
		}
		require.ErrorContains(t, err, want)
	}
	cfg := loadConfig(t, map[string]any{"metadata_keys": []any{"Tenant"}, "sending_queue": map[string]any{
		"batch": map[string]any{"partition": map[string]any{"metadata_keys": []any{"tenant"}}},
	}})
	require.NoError(t, confmap.Validate(cfg))
}

// startQueued starts logs behind a queue of 1000 with 4 consumers.
func startQueued(t *testing.T, dir string, answer func(context.Context, plog.Logs) error) exporter.Logs {
	t.Helper()
	s := &scripted{answer: answer}
	f := NewFactory()
	cfg := loadConfig(t, testSettings(dir), toScripted, queueing(map[string]any{"num_consumers": 4}),
		map[string]any{"timeout": "1h", "budget": "1h", "circuit_breaker": map[string]any{"open_interval": "1h", "max_open_interval": "1h"}})
	e, err := f.CreateLogs(context.Background(), exporterSettings(t, f), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(context.Background(), newTestHost(s.factory())))
	return e
}

// Batches that are queued at Shutdown are delivered or in the log within the time for Shutdown, even if the downstream hangs.
func TestShutdownDrainsTheQueue(t *testing.T) {
	for name, answer := range map[string]func(context.Context) error{
		"well": func(context.Context) error { return nil },
		"slow": func(ctx context.Context) error {
			select {
			case <-time.After(100 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		"away":  func(context.Context) error { return status.Error(codes.Unavailable, "") },
		"hangs": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				var mu sync.Mutex
				got := map[string]int{}
				e := startQueued(t, dir, func(ctx context.Context, ld plog.Logs) error {
					err := answer(ctx)
					if err == nil {
						mu.Lock()
						defer mu.Unlock()
						got[otlptest.LogBodies(ld)[0]]++
					}
					return err
				})
				const n = 300
				for i := range n {
					require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs(fmt.Sprint(i), 1)))
				}
				begun := time.Now()
				require.NoError(t, e.Shutdown(context.Background()))
				assert.Less(t, time.Since(begun), 2*time.Second)
				for _, name := range unread(t, dir) {
					got[name]++
				}
				for i := range n {
					assert.Equal(t, 1, got[fmt.Sprint(i, "/0")], i)
				}
			})
		})
	}
}

// A wrapped exporter that ignores its context does not delay Shutdown. The batches that it has are in the log.
func TestShutdownOfADeafExporterBehindAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		let := make(chan struct{})
		e := startQueued(t, dir, func(context.Context, plog.Logs) error { <-let; return nil })
		for i := range 10 {
			require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs(fmt.Sprint(i), 1)))
		}
		synctest.Wait()
		begun := time.Now()
		err := e.Shutdown(context.Background())
		require.ErrorIs(t, err, delivery.ErrAbandoned)
		require.ErrorContains(t, err, "sending queue")
		assert.LessOrEqual(t, time.Since(begun), 8*time.Second)
		assert.Len(t, unread(t, dir), 4, "what was on its way")
		close(let)
	})
}

// Shutdown of an instance that was never started succeeds.
func TestShutdownOfAQueueWithoutStart(t *testing.T) {
	f := NewFactory()
	e, err := f.CreateTraces(context.Background(), exporterSettings(t, f), loadConfig(t, testSettings(t.TempDir()), queueing(map[string]any{"enabled": true})))
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(context.Background()))
}
