//go:build linux

package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog"
)

// backlogBatches is what a round of BenchmarkOutage appends and drains.
const (
	backlogBatches = 400
	backlogWriters = 16
)

// backend is the exporter that both wrap: it takes points, or hangs until the caller gives up.
type backend struct {
	points atomic.Int64
	hang   atomic.Bool
}

func (b *backend) take(ctx context.Context, md pmetric.Metrics) error {
	if b.hang.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	b.points.Add(int64(md.DataPointCount()))
	return nil
}

// keeper is a way to keep metrics through an outage of a backend, in a directory.
type keeper struct {
	name string
	// start with backlog only keeps; without, it delivers.
	start func(tb testing.TB, dir string, b *backend, outage bool) (exporter.Metrics, func())
}

var keepers = []keeper{
	{"fallbacklog", startFallbacklog},
	{"file_storage", startFileStorage},
}

type host struct {
	component.Host
	factory    exporter.Factory
	extensions map[component.ID]component.Component
}

func (h host) GetFactory(component.Kind, component.Type) component.Factory { return h.factory }
func (h host) GetExtensions() map[component.ID]component.Component         { return h.extensions }

var backendType = component.MustNewType("backend")

// startFallbacklog has no exporter to try in an outage, as when its breaker is open.
func startFallbacklog(tb testing.TB, dir string, b *backend, outage bool) (exporter.Metrics, func()) {
	f := fallbacklog.NewFactory()
	cfg := f.CreateDefaultConfig()
	settings := map[string]any{"log": map[string]any{"directory": dir, "min_free_disk_mib": 0}}
	if !outage {
		settings["exporter"] = map[string]any{"backend": nil}
	}
	require.NoError(tb, confmap.NewFromStringMap(settings).Unmarshal(cfg))
	h := host{Host: componenttest.NewNopHost(), factory: exporter.NewFactory(backendType, func() component.Config { return &struct{}{} },
		exporter.WithMetrics(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return exporterhelper.NewMetrics(ctx, set, cfg, b.take)
		}, component.StabilityLevelStable))}
	set := exportertest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type()) // the directory's name
	e, err := f.CreateMetrics(tb.Context(), set, cfg)
	require.NoError(tb, err)
	require.NoError(tb, e.Start(tb.Context(), h))
	return e, func() { require.NoError(tb, e.Shutdown(context.Background())) }
}

// startFileStorage is the sending queue of exporterhelper on contrib's file_storage, which syncs what it acknowledges.
func startFileStorage(tb testing.TB, dir string, b *backend, outage bool) (exporter.Metrics, func()) {
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory, cfg.FSync = dir, true
	set := extensiontest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type())
	storage, err := f.Create(tb.Context(), set, cfg)
	require.NoError(tb, err)
	h := host{Host: componenttest.NewNopHost(), extensions: map[component.ID]component.Component{set.ID: storage}}
	require.NoError(tb, storage.Start(tb.Context(), h))

	queue := exporterhelper.NewDefaultQueueConfig()
	queue.StorageID, queue.QueueSize = &set.ID, 1_000_000
	b.hang.Store(outage)
	es := exportertest.NewNopSettings(backendType)
	es.ID = component.NewID(backendType)
	e, err := exporterhelper.NewMetrics(tb.Context(), es, &struct{}{}, b.take,
		exporterhelper.WithQueue(configoptional.Some(queue)), exporterhelper.WithRetry(configretry.NewDefaultBackOffConfig()),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 500 * time.Millisecond}))
	require.NoError(tb, err)
	require.NoError(tb, e.Start(tb.Context(), h))
	return e, func() {
		require.NoError(tb, e.Shutdown(context.Background()))
		require.NoError(tb, storage.Shutdown(context.Background()))
	}
}

// outageRound is what a keeper did with a backlog.
type outageRound struct {
	appended float64 // points a second, each batch durable before its sender is answered
	drained  float64 // points a second, from a cold start to the last one
	heap     float64 // MiB, the most that draining added
	healthy  float64 // CPU us a batch, without an outage
}

// batch64 is about 64 KiB of OTLP in protobuf.
func batch64() pmetric.Metrics {
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for i := range 600 {
		m := metrics.AppendEmpty()
		m.SetName(fmt.Sprintf("requests.of.service.%d", i))
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetIntValue(int64(i))
		p.SetTimestamp(1)
		p.Attributes().PutStr("host", fmt.Sprintf("host-%d", i%10))
		p.Attributes().PutStr("region", "somewhere")
	}
	return md
}

func runOutage(tb testing.TB, k keeper) (r outageRound) {
	dir, b, md := tb.TempDir(), &backend{}, batch64()
	e, stop := k.start(tb, dir, b, true)
	began := time.Now()
	var (
		wg   sync.WaitGroup
		left atomic.Int64
	)
	left.Store(backlogBatches)
	for range backlogWriters {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := e.ConsumeMetrics(context.Background(), md); err != nil {
					tb.Error(err)
				}
			}
		})
	}
	wg.Wait()
	points := int64(backlogBatches * md.DataPointCount())
	r.appended = float64(points) / time.Since(began).Seconds()
	stop()

	before := heap(true)
	peak := uint64(0)
	began = time.Now()
	e, stop = k.start(tb, dir, b, false)
	tick := time.NewTicker(5 * time.Millisecond)
	for deadline := began.Add(time.Minute); b.points.Load() < points; <-tick.C {
		peak = max(peak, heap(false))
		require.True(tb, time.Now().Before(deadline), "%s: %d of %d points", k.name, b.points.Load(), points)
	}
	r.drained = float64(points) / time.Since(began).Seconds()
	r.heap = float64(max(peak, before)-before) / (1 << 20)

	const batches = 200
	cpu := cpuTime(tb)
	for range batches {
		require.NoError(tb, e.ConsumeMetrics(context.Background(), md))
	}
	tick.Reset(time.Millisecond)
	for deadline := time.Now().Add(time.Minute); b.points.Load() < points+int64(batches*md.DataPointCount()); <-tick.C {
		require.True(tb, time.Now().Before(deadline))
	}
	tick.Stop()
	r.healthy = float64((cpuTime(tb) - cpu).Microseconds()) / batches
	stop()
	return r
}

// heap is what is allocated, of it what is alive after a collection.
func heap(collect bool) uint64 {
	if collect {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cpuTime is user and system time of this process.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkOutage keeps 400 batches of about 64 KiB from 16 writers through an outage, each durable before its sender is
// answered, drains them from a cold start, and sends on without an outage: fallbacklog beside the sending queue on
// file_storage with fsync. Rounds alternate; the figures are medians.
func BenchmarkOutage(b *testing.B) {
	rounds := make([][]outageRound, len(keepers))
	first := 0
	for b.Loop() {
		for i := range keepers {
			at := (first + i) % len(keepers)
			rounds[at] = append(rounds[at], runOutage(b, keepers[at]))
		}
		first++
	}
	b.ReportMetric(0, "ns/op")
	middle := func(of []outageRound, field func(outageRound) float64) float64 {
		var values []float64
		for _, r := range of {
			values = append(values, field(r))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	for i, k := range keepers {
		b.ReportMetric(middle(rounds[i], func(r outageRound) float64 { return r.appended }), k.name+"-appended-points/s")
		b.ReportMetric(middle(rounds[i], func(r outageRound) float64 { return r.drained }), k.name+"-drained-points/s")
		b.ReportMetric(middle(rounds[i], func(r outageRound) float64 { return r.heap }), k.name+"-drain-MiB")
		b.ReportMetric(middle(rounds[i], func(r outageRound) float64 { return r.healthy }), k.name+"-healthy-us/batch")
	}
}

// TestEveryKeeperDeliversTheBacklog: what is measured is the whole of it.
func TestEveryKeeperDeliversTheBacklog(t *testing.T) {
	for _, k := range keepers {
		t.Run(k.name, func(t *testing.T) {
			r := runOutage(t, k)
			require.Positive(t, r.appended)
			require.Positive(t, r.drained)
			require.Positive(t, r.healthy)
		})
	}
}
