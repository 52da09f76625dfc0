//go:build linux

package bench

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
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

// backlog is the load of a round of BenchmarkOutage. writers append batches concurrently. A batch has that number of gauge
// points.
type backlog struct {
	name                     string
	points, batches, writers int
}

// backlogs are named by the size of a batch in protobuf and the number of writers.
var backlogs = []backlog{
	{"64KiBx16", 600, 2000, 16},
	{"4KiBx64", 36, 4000, 64},
}

// backend is the exporter that both keepers wrap. It accepts points, or hangs until the caller gives up.
type backend struct {
	points atomic.Int64
	hang   atomic.Bool
}

func (b *backend) receive(ctx context.Context, md pmetric.Metrics) error {
	if b.hang.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	b.points.Add(int64(md.DataPointCount()))
	return nil
}

func (b *backend) factory() exporter.Factory {
	return exporter.NewFactory(backendType, func() component.Config { return &struct{}{} },
		exporter.WithMetrics(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return exporterhelper.NewMetrics(ctx, set, cfg, b.receive)
		}, component.StabilityLevelStable))
}

// keeper stores metrics in a directory during an outage of a backend.
type keeper struct {
	name string
	// start starts the keeper. During an outage it only stores data, otherwise it delivers.
	start func(tb testing.TB, dir string, b *backend, outage bool) (exporter.Metrics, func())
}

var keepers = []keeper{
	{"fallbacklog", fallbacklogIn("otlp_json")},
	{"fallbacklog-proto", fallbacklogIn("otlp_proto")},
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

// fallbacklogIn uses the defaults with that format. During an outage it has no exporter to try, as if its breaker were open.
func fallbacklogIn(format string) func(testing.TB, string, *backend, bool) (exporter.Metrics, func()) {
	return func(tb testing.TB, dir string, b *backend, outage bool) (exporter.Metrics, func()) {
		return startFallbacklog(tb, dir, format, b, outage)
	}
}

func startFallbacklog(tb testing.TB, dir, format string, b *backend, outage bool) (exporter.Metrics, func()) {
	f := fallbacklog.NewFactory()
	cfg := f.CreateDefaultConfig()
	settings := map[string]any{"log": map[string]any{"directory": dir, "format": format, "min_free_disk_mib": 0}}
	if !outage {
		settings["exporter"] = map[string]any{"backend": nil}
	}
	require.NoError(tb, confmap.NewFromStringMap(settings).Unmarshal(cfg))
	h := host{Host: componenttest.NewNopHost(), factory: b.factory()}
	set := exportertest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type()) // it is the name of the directory
	e, err := f.CreateMetrics(tb.Context(), set, cfg)
	require.NoError(tb, err)
	require.NoError(tb, e.Start(tb.Context(), h))
	return e, func() { require.NoError(tb, e.Shutdown(context.Background())) }
}

// startFileStorage starts exporterhelper's sending queue on contrib's file_storage, which syncs data before it acknowledges
// it.
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
	e, err := exporterhelper.NewMetrics(tb.Context(), es, &struct{}{}, b.receive,
		exporterhelper.WithQueue(configoptional.Some(queue)), exporterhelper.WithRetry(configretry.NewDefaultBackOffConfig()),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 500 * time.Millisecond}))
	require.NoError(tb, err)
	require.NoError(tb, e.Start(tb.Context(), h))
	return e, func() {
		require.NoError(tb, e.Shutdown(context.Background()))
		require.NoError(tb, storage.Shutdown(context.Background()))
	}
}

// outageRound has the figures of a keeper for a backlog.
type outageRound struct {
	appended float64 // points per second; each batch is durable before its sender gets an answer
	drained  float64 // points per second, from a cold start to the last point
	heap     float64 // MiB; largest live heap after a garbage collection while the backlog drains
	healthy  float64 // CPU time per batch in us, without an outage
}

// makeBatch returns a batch with about 110 bytes per point in protobuf.
func makeBatch(points int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	all := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for i := range points {
		m := all.AppendEmpty()
		m.SetName(fmt.Sprintf("requests.of.service.%d", i))
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetIntValue(int64(i))
		p.SetTimestamp(1)
		p.Attributes().PutStr("host", fmt.Sprintf("host-%d", i%10))
		p.Attributes().PutStr("region", "somewhere")
	}
	return md
}

func runOutage(tb testing.TB, k keeper, l backlog) (r outageRound) {
	dir, b, md := tb.TempDir(), &backend{}, makeBatch(l.points)
	e, stop := k.start(tb, dir, b, true)
	began := time.Now()
	var (
		wg   sync.WaitGroup
		left atomic.Int64
	)
	left.Store(int64(l.batches))
	for range l.writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := e.ConsumeMetrics(context.Background(), md); err != nil {
					tb.Error(err)
				}
			}
		})
	}
	wg.Wait()
	points := int64(l.batches * l.points)
	r.appended = float64(points) / time.Since(began).Seconds()
	stop()

	runtime.GC()
	before := live()
	peak := before
	began = time.Now()
	e, stop = k.start(tb, dir, b, false)
	tick := time.NewTicker(2 * time.Millisecond)
	for deadline := began.Add(time.Minute); b.points.Load() < points; <-tick.C {
		peak = max(peak, live())
		require.True(tb, time.Now().Before(deadline), "%s: %d of %d points", k.name, b.points.Load(), points)
	}
	r.drained = float64(points) / time.Since(began).Seconds()
	r.heap = float64(peak-before) / (1 << 20)

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

// live returns the size of the live heap after the last garbage collection, in bytes.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// cpuTime returns the user and system time of this process.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkOutage compares fallbacklog, in either format, with the sending queue on file_storage with fsync. Many writers
// append batches during an outage, and each batch is durable before its sender gets an answer. Then the backlog drains from a
// cold start into an exporter that accepts everything, and batches are sent without an outage. Rounds alternate between the
// keepers; the figures are medians.
//
// fallbacklog calls fdatasync once for all batches that wait while the last call runs. While it drains, it calls it once per
// 8 MiB or per second in which its cursor moves. file_storage calls fsync once per transaction of bbolt: for each batch that
// the queue accepts, for each that it sends, and for each that was delivered.
func BenchmarkOutage(b *testing.B) {
	for _, l := range backlogs {
		b.Run(l.name, func(b *testing.B) {
			rounds := make([][]outageRound, len(keepers))
			first := 0
			for b.Loop() {
				for i := range keepers {
					at := (first + i) % len(keepers)
					rounds[at] = append(rounds[at], runOutage(b, keepers[at], l))
				}
				first++
			}
			b.ReportMetric(0, "ns/op")
			for i, k := range keepers {
				report := func(what string, field func(outageRound) float64) {
					b.ReportMetric(spreadOf(rounds[i], field).median, k.name+"-"+what)
				}
				report("appended-points/s", func(r outageRound) float64 { return r.appended })
				report("drained-points/s", func(r outageRound) float64 { return r.drained })
				report("drain-live-MiB", func(r outageRound) float64 { return r.heap })
				report("healthy-us/batch", func(r outageRound) float64 { return r.healthy })
			}
		})
	}
}

// Every keeper delivers the whole backlog, so the benchmark measures all of it.
func TestEveryKeeperDeliversTheBacklog(t *testing.T) {
	for _, k := range keepers {
		t.Run(k.name, func(t *testing.T) {
			r := runOutage(t, k, backlog{"short", 100, 200, 16})
			require.Positive(t, r.appended)
			require.Positive(t, r.drained)
			require.Positive(t, r.healthy)
		})
	}
}
