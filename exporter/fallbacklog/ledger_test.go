package fallbacklog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// balance checks the ledger of a stopped gateway against its telemetry, read just before, and the disk.
type balance struct{ received, delivered, logged, dead, dropped, rejected, expired int64 }

func (g *gateway) balance() balance {
	return balance{
		received: g.sum("received_items"), delivered: g.sum("delivered_items"), logged: g.sum("logged_items"),
		dead: g.sum("dead_letter_items"), dropped: g.sum("dropped_items"), rejected: g.sum("rejected_items"),
		expired: g.sum("expired_items"),
	}
}

// All outcomes occur, from many goroutines, with a small log. Then the sums must agree with each other and with the disk. The
// backend's count is no part of the ledger: if its answer is lost the item is delivered again.
func TestLedger(t *testing.T) {
	for _, onFull := range []OnFull{OnFullReject, OnFullDropOldest, OnFullDropNewest} {
		t.Run(string(onFull), func(t *testing.T) {
			b := newBackend(t)
			dir := t.TempDir()
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), map[string]any{
				"log": map[string]any{"max_disk_mib": 2, "on_full": string(onFull), "max_age": "1h", "fsync": "none"},
			}))
			rnd := rand.New(rand.NewPCG(1, 2))
			padding := make([]byte, 20<<10)
			for i := range padding {
				padding[i] = 'x'
			}
			var mu sync.Mutex
			errs := 0
			var accepted []string
			for phase := range 12 {
				switch phase % 4 {
				case 0:
					b.refuse(codes.Unavailable)
				case 2:
					b.set(nil)
					b.loseAnswers(status.Error(codes.DeadlineExceeded, "the answer is lost"))
				case 1:
					b.set(nil)
				case 3:
					b.set(func(name string) error {
						switch len(name) % 3 {
						case 0:
							return status.Error(codes.InvalidArgument, "")
						case 1:
							return status.Error(codes.ResourceExhausted, "")
						}
						return nil
					})
				}
				if phase%4 != 2 {
					b.loseAnswers(nil)
				}
				before := g.sum("delivered_items", "path", "replayed")
				var wg sync.WaitGroup
				for w := range 4 {
					seed := rnd.Uint64()
					wg.Add(1)
					go func() {
						defer wg.Done()
						rnd := rand.New(rand.NewPCG(seed, 3))
						for i := range 15 {
							ld := makeLogs(fmt.Sprintf("%d/%d/%d", phase, w, i), 1+rnd.IntN(5))
							ld.ResourceLogs().At(0).Resource().Attributes().PutStr("padding", string(padding))
							names, err := otlptest.LogBodies(ld), g.logs.ConsumeLogs(context.Background(), ld)
							mu.Lock()
							if err == nil {
								accepted = append(accepted, names...)
							} else {
								errs += len(names)
							}
							mu.Unlock()
							assert.False(t, consumererror.IsPermanent(err))
						}
					}()
				}
				wg.Wait()
				if phase%4 == 1 {
					eventually(t, func() bool { return g.sum("delivered_items", "path", "replayed") > before }, "some of it is replayed")
				}
			}
			b.refuse(codes.Unavailable)
			for i := 0; g.sum("breaker_state") != 2; i++ {
				if g.sendLog(fmt.Sprint("open", i)) != nil {
					errs++
				}
			}
			// Stopping adds the items that were dropped last; the metric reader outlives the component.
			for _, c := range []interface{ Shutdown(context.Context) error }{g.traces, g.metrics, g.logs} {
				require.NoError(t, c.Shutdown(context.Background()))
			}
			l := g.balance()
			dead, lines := onDisk(t, dir, "logs", true)
			somewhere := b.names()
			for _, line := range lines {
				ld, err := logs.json.unmarshal(line)
				require.NoError(t, err)
				for _, name := range otlptest.LogBodies(ld) {
					somewhere[name]++
				}
			}
			logged := unread(t, dir)
			for _, name := range logged {
				somewhere[name]++
			}
			missing := 0
			for _, name := range accepted {
				if somewhere[name] == 0 {
					missing++
				}
			}
			assert.Equal(t, l.dead, int64(dead), "dead letter")
			assert.EqualValues(t, errs, l.rejected, "rejected")
			loggedNow := l.received - l.delivered - l.dead - l.dropped - l.rejected - l.expired
			assert.EqualValues(t, len(logged), loggedNow, "logged now: %+v", l)
			assert.LessOrEqual(t, int64(missing), l.dropped, "lost")
			if onFull == OnFullReject {
				assert.Zero(t, l.dropped)
				assert.Positive(t, l.rejected)
			} else {
				assert.Positive(t, l.dropped)
				assert.Zero(t, l.rejected)
			}
		})
	}
}

// unread returns the names of the items that a stopped gateway's log still has to deliver.
func unread(t testing.TB, dir string) (names []string) {
	t.Helper()
	l, err := segment.Open(segment.Options{
		Dir: filepath.Join(dir, "fallbacklog", "logs"), Kind: segment.Kind{Extension: ".jsonl", Format: record.Lines{}},
		Budget: &segment.Budget{Max: 1 << 40},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	for {
		e, ok, err := l.Next()
		require.NoError(t, err)
		if !ok {
			return names
		}
		ld, err := logs.json.unmarshal(e.Record)
		require.NoError(t, err)
		names = append(names, otlptest.LogBodies(ld)...)
	}
}

// Logged data that is too old is deleted and counted, even while nothing is replayed.
func TestExpiry(t *testing.T) {
	for _, replay := range []bool{true, false} {
		t.Run(fmt.Sprintf("replay=%v", replay), func(t *testing.T) {
			b := newBackend(t)
			b.refuse(codes.Unavailable)
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b), map[string]any{
				"log": map[string]any{"max_age": "50ms"}, "replay": map[string]any{"enabled": replay},
			}))
			for i := range 5 {
				require.NoError(t, g.sendLog(fmt.Sprint(i)))
			}
			eventually(t, func() bool { return g.sum("expired_items") == 5 }, "")
			eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "")
		})
	}
}
