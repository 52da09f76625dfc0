package fallbacklog

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// nullFactory creates an exporter on exporterhelper, like other exporters, that accepts everything.
func nullFactory() exporter.Factory {
	t := component.MustNewType("null")
	return exporter.NewFactory(t, func() component.Config { return &struct{}{} },
		exporter.WithMetrics(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return exporterhelper.NewMetrics(ctx, set, cfg, func(context.Context, pmetric.Metrics) error { return nil })
		}, component.StabilityLevelStable))
}

func metricsExporterFor(t testing.TB, host component.Host, f exporter.Factory, cfg component.Config) exporter.Metrics {
	t.Helper()
	e, err := f.CreateMetrics(context.Background(), exporterSettings(t, f), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(context.Background(), host))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	return e
}

func newWrapping(t testing.TB, settings map[string]any) exporter.Metrics {
	t.Helper()
	return metricsExporterFor(t, newTestHost(nullFactory()), NewFactory(), loadConfig(t, testSettings(t.TempDir()), settings))
}

// The benchmark compares the healthy path with the wrapped exporter alone: an exporter that costs nothing shows the cost of
// wrapping, and otlp_grpc with a server in this process shows its share.
func BenchmarkHealthy(b *testing.B) {
	md := makeMetrics("m", 1000)
	run := func(b *testing.B, e exporter.Metrics) {
		b.ReportAllocs()
		for b.Loop() {
			if err := e.ConsumeMetrics(context.Background(), md); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("null/bare", func(b *testing.B) {
		f := nullFactory()
		run(b, metricsExporterFor(b, newTestHost(), f, f.CreateDefaultConfig()))
	})
	b.Run("null/wrapped", func(b *testing.B) {
		run(b, newWrapping(b, map[string]any{"exporter": map[string]any{"null": nil}}))
	})
	b.Run("otlp_grpc/bare", func(b *testing.B) {
		server := newBackend(b)
		f := otlpexporter.NewFactory()
		cfg := f.CreateDefaultConfig()
		require.NoError(b, confmap.NewFromStringMap(map[string]any{
			"endpoint": server.grpcAddr, "tls": map[string]any{"insecure": true},
			"sending_queue": map[string]any{"enabled": false}, "retry_on_failure": map[string]any{"enabled": false},
		}).Unmarshal(&cfg))
		run(b, metricsExporterFor(b, newTestHost(), f, cfg))
	})
	b.Run("otlp_grpc/wrapped", func(b *testing.B) {
		run(b, newWrapping(b, grpcTo(newBackend(b))))
	})
}

// The benchmark measures a batch that goes to the log: encoding, checksum and group commit.
func BenchmarkLogOnly(b *testing.B) {
	for _, fsync := range []string{"batch", "none"} {
		b.Run(fsync, func(b *testing.B) {
			md := makeMetrics("m", 1000)
			payload, err := metrics.json.marshal(md)
			require.NoError(b, err)
			e := newWrapping(b, map[string]any{"log": map[string]any{
				"fsync": fsync, "max_disk_mib": 4096, "max_segment_size_mib": 64, "on_full": "drop_oldest",
			}})
			b.SetBytes(int64(len(payload)))
			b.SetParallelism(8)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := e.ConsumeMetrics(context.Background(), md); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// The benchmark measures a replay: reading the log, decoding it, and an exporter that accepts everything.
func BenchmarkColdDrain(b *testing.B) {
	for _, order := range []Order{OrderOldestFirst, OrderStrict} {
		b.Run(string(order), func(b *testing.B) { coldDrain(b, order) })
	}
}

func coldDrain(b *testing.B, order Order) {
	b.Helper()
	const batches = 200
	md := makeMetrics("m", 1000)
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		settings := testSettings(dir)
		settings["log"] = map[string]any{"directory": dir, "min_free_disk_mib": 0, "fsync": "none"}
		settings["replay"] = map[string]any{"order": string(order)}
		f := NewFactory()
		fill := metricsExporterFor(b, newTestHost(), f, loadConfig(b, settings))
		for range batches {
			require.NoError(b, fill.ConsumeMetrics(context.Background(), md))
		}
		require.NoError(b, fill.Shutdown(context.Background()))
		b.StartTimer()
		e := metricsExporterFor(b, newTestHost(nullFactory()), f, loadConfig(b, settings, map[string]any{"exporter": map[string]any{"null": nil}}))
		l := e.(metricsExporter).lane.log
		for !l.Empty() {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		require.NoError(b, e.Shutdown(context.Background()))
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*batches*1000)/b.Elapsed().Seconds(), "items/s")
}

// allocsOfWrapping is the number of allocations that wrapping may cost a healthy batch of any size. In strict order a batch
// also waits for its turn.
var allocsOfWrapping = map[Order]float64{OrderOldestFirst: 14, OrderStrict: 21}

func TestAllocsHealthy(t *testing.T) {
	md := makeMetrics("m", 100)
	measure := func(e exporter.Metrics) float64 {
		return testing.AllocsPerRun(200, func() {
			if err := e.ConsumeMetrics(context.Background(), md); err != nil {
				t.Fatal(err)
			}
		})
	}
	f := nullFactory()
	bare := measure(metricsExporterFor(t, newTestHost(), f, f.CreateDefaultConfig()))
	if harness.Race {
		t.Skip("the race detector allocates")
	}
	for order, most := range allocsOfWrapping {
		got := measure(newWrapping(t, map[string]any{
			"exporter": map[string]any{"null": nil}, "replay": map[string]any{"order": string(order)},
		}))
		if got-bare > most {
			t.Errorf("%s: wrapping costs %v allocations a batch, at most %v are allowed", order, got-bare, most)
		}
	}
}
