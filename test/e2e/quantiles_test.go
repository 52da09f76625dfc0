package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// grid returns the bucket bounds of a layout around a value: the greatest at or below it, and the least at or above it.
type grid struct{ below, above func(v float64) float64 }

func explicitGrid(bounds ...float64) grid {
	return grid{
		below: func(v float64) float64 {
			i := sort.SearchFloat64s(bounds, v)
			switch {
			case i < len(bounds) && bounds[i] == v:
				return v
			case i == 0:
				return math.Inf(-1)
			}
			return bounds[i-1]
		},
		above: func(v float64) float64 {
			if i := sort.SearchFloat64s(bounds, v); i < len(bounds) {
				return bounds[i]
			}
			return math.Inf(1)
		},
	}
}

func exponentialGrid(scale int32) grid {
	return grid{
		below: func(v float64) float64 {
			i := expo.Index(scale, v)
			if expo.UpperBound(scale, i) == v {
				return v
			}
			return expo.LowerBound(scale, i)
		},
		above: func(v float64) float64 { return expo.UpperBound(scale, expo.Index(scale, v)) },
	}
}

// enclosing is the range in which the true quantile lies, derived from the layouts only. PromQL's estimate is in the target's
// bucket that contains the rank. The cumulative count at the bounds of that bucket is wrong by no more than the source buckets
// that the bounds cut. So the true quantile lies between the outer bounds of these source buckets.
func enclosing(source, target grid, estimate float64) (low, high float64) {
	// Because of rounding in the interpolation, an estimate at a bound may lie on either side of it.
	const tolerance = 1e-9
	return source.below(target.below(estimate * (1 - tolerance))), source.above(target.above(estimate * (1 + tolerance)))
}

// TestQuantiles: histograms of the OpenTelemetry SDK, with its default bounds and exponential, go to a real Prometheus
// unchanged and rebucketed. The error of histogram_quantile is at most the loss of precision of the layouts.
func TestQuantiles(t *testing.T) {
	const observations = 20_000
	const targetScale = 2
	g := newGateway(t, "quickstart.yaml")
	p := startPrometheus(t, g.page, "--enable-feature=native-histograms")
	overlay := `
processors:
  bucketing/otel:
    rules:
      - target: {explicit: {preset: otel}}
        cumulative: {mode: stateful}
  bucketing/latency_ms:
    rules: [{target: {explicit: {preset: latency_ms}}}]
  bucketing/exponential:
    rules: [{target: {exponential: {max_scale: ` + fmt.Sprint(targetScale) + `}}}]
`
	pipelines, exporters := "\nservice:\n  pipelines:\n", "\nexporters:\n"
	stages := []string{"none", "otel", "latency_ms", "exponential"}
	for _, stage := range stages {
		exporters += fmt.Sprintf(`  prometheus_remote_write/%s:
    endpoint: http://%s/api/v1/write
    translation_strategy: UnderscoreEscapingWithoutSuffixes
    external_labels: {target: %s}
`, stage, p.address, stage)
		processors := "[bucketing/" + stage + "]"
		if stage == "none" {
			processors = "[]"
		}
		pipelines += fmt.Sprintf("    metrics/%s: {receivers: [otlp], processors: %s, exporters: [prometheus_remote_write/%s]}\n", stage, processors, stage)
	}
	g.withOverlay(overlay + exporters + pipelines)
	g.start()
	startBackend(t, g.backend)

	exporter, err := otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpoint(g.grpc), otlpmetricgrpc.WithInsecure())
	require.NoError(t, err)
	manual := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)),
		sdkmetric.WithReader(manual),
		sdkmetric.WithView(sdkmetric.NewView(
			sdkmetric.Instrument{Name: "latency.exponential"},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}},
		)),
	)
	meter := provider.Meter("quantiles")
	var histograms []metric.Float64Histogram
	for _, kind := range []string{"explicit", "exponential"} {
		h, err := meter.Float64Histogram("latency."+kind, metric.WithUnit("ms"))
		require.NoError(t, err)
		histograms = append(histograms, h)
	}
	rng, samples := rand.New(rand.NewPCG(1, 2)), make([]float64, observations)
	for i := range samples {
		samples[i] = 80 * math.Exp(0.8*rng.NormFloat64())
		for _, h := range histograms {
			h.Record(t.Context(), samples[i])
		}
		if i == observations/10 {
			// With state, the scale of the first point differs from that of the last.
			require.NoError(t, provider.ForceFlush(withTimeout(t)))
		}
	}
	require.NoError(t, provider.ForceFlush(withTimeout(t)))
	sourceScale := scaleOf(t, manual, "latency.exponential")
	require.NoError(t, provider.Shutdown(withTimeout(t)))
	slices.Sort(samples)

	defaults := explicitGrid(0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
	sources := map[string]grid{"explicit": defaults, "exponential": exponentialGrid(sourceScale)}
	targets := map[string]grid{
		"otel": defaults, "latency_ms": explicitGrid(0, 10, 50, 100, 500),
		"exponential": exponentialGrid(targetScale),
	}
	ctx := withTimeout(t)
	var table strings.Builder
	fmt.Fprintf(&table, "%d samples, SDK's exponential scale %d\n%-12s %-12s %8s %10s %10s %8s   true quantile within\n",
		observations, sourceScale, "source", "target", "quantile", "true", "estimate", "error")
	for _, source := range []string{"explicit", "exponential"} {
		for _, stage := range stages {
			target, known := targets[stage]
			if !known {
				target = sources[source]
			}
			series := fmt.Sprintf(`latency_%s{target=%q}`, source, stage)
			counted := fmt.Sprintf("histogram_count(%s)", series)
			if native := stage == "exponential" || stage == "none" && source == "exponential"; !native {
				series = fmt.Sprintf(`latency_%s_bucket{target=%q}`, source, stage)
				counted = fmt.Sprintf(`latency_%s_count{target=%q}`, source, stage)
			}
			eventually(t, counted, func() bool { return p.value(ctx, counted) == observations })
			for _, q := range []float64{0.5, 0.9, 0.99} {
				actual := samples[int(math.Ceil(q*observations))-1]
				estimate := p.value(ctx, fmt.Sprintf("histogram_quantile(%v, %s)", q, series))
				low, high := enclosing(sources[source], target, estimate)
				fmt.Fprintf(&table, "%-12s %-12s %8v %10.2f %10.2f %7.1f%%   (%.4g, %.4g]\n",
					source, stage, q, actual, estimate, 100*(estimate/actual-1), low, high)
				assert.Greater(t, actual, low, "%s -> %s, quantile %v", source, stage, q)
				assert.LessOrEqual(t, actual, high, "%s -> %s, quantile %v", source, stage, q)
			}
		}
	}
	t.Log(table.String())
	assert.Zero(t, g.own("otelcol_processor_bucketing_violations_total"))
	g.stop()
}

// scaleOf returns the present scale of an exponential histogram of the SDK.
func scaleOf(t *testing.T, reader *sdkmetric.ManualReader, name string) int32 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &rm))
	for _, m := range rm.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.ExponentialHistogram[float64]); ok && m.Name == name {
			return h.DataPoints[0].Scale
		}
	}
	t.Fatalf("no exponential histogram %s", name)
	return 0
}
