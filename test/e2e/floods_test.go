package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// smallContainer is the memory of a container in which the shipped configurations must survive every flood, with the values of
// docs/memory.md.
const smallContainer = 512 << 20

var smallContainerEnv = map[string]string{
	"GOMEMLIMIT": "410MiB", "MEMORY_LIMIT_MIB": "320", "MEMORY_SPIKE_MIB": "80", "TOTAL_MAX_SERIES": "50000",
}

// TestFloodsInASmallContainer: floods of metric names, labels and services, with scrapes of the full page at the same time, are
// refused or folded. The kernel kills nothing, and afterwards the gateway accepts data as before.
func TestFloodsInASmallContainer(t *testing.T) {
	for name, flood := range map[string]func(t *testing.T, g *gateway){
		"metric names":  func(t *testing.T, g *gateway) { floodUDP(t, g, 0) },
		"labels":        func(t *testing.T, g *gateway) { floodUDP(t, g, 4) },
		"service names": func(t *testing.T, g *gateway) { floodOTLP(t, g, "service") },
		"OTLP names":    func(t *testing.T, g *gateway) { floodOTLP(t, g, "name") },
		"OTLP labels":   func(t *testing.T, g *gateway) { floodOTLP(t, g, "label") },
	} {
		t.Run(name, func(t *testing.T) {
			group := newMemoryGroup(t, smallContainer)
			g := newGateway(t, "quickstart.yaml", `receivers: {metricsudp: {aggregation_interval: 1s}}`)
			g.group = group
			for variable, value := range smallContainerEnv {
				g.env[variable] = value
			}
			startSink(t, g.backend)
			g.start()
			ctx, cancel := context.WithCancel(t.Context())
			scraped := make(chan int64)
			go func() { scraped <- scrapeUntil(ctx, g.page) }()
			flood(t, g)
			cancel()
			bytes := <-scraped
			select {
			case <-g.exited:
				t.Fatal("the gateway ended in the flood")
			default:
			}
			assert.Zero(t, group.kills())
			eventually(t, "data is accepted again", func() bool { return g.post(t, "/v1/logs", logsOf(1)) == http.StatusOK })
			t.Logf("%s: memory of the container at most %d MiB of %d, resident at most %d MiB, largest page %d MiB, refused points %.0f",
				name, group.peakBytes()>>20, smallContainer>>20, g.peakRSS()>>20, bytes>>20,
				sumOf(t, g, "otelcol_processor_memory_limiter_refused_metric_points_total")+sumOf(t, g, "otelcol_processor_refused_metric_points_total"))
			g.stop()
		})
	}
}

func sumOf(t *testing.T, g *gateway, name string) (sum float64) {
	for _, s := range scrape(t, g.telemetry, name) {
		sum += s.value
	}
	return sum
}

// scrapeUntil reads the page repeatedly and returns the size of the largest page.
func scrapeUntil(ctx context.Context, page string) (largest int64) {
	client := &http.Client{Timeout: patience}
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+page+"/metrics", http.NoBody)
		if err != nil {
			return largest
		}
		response, err := client.Do(request)
		if err != nil {
			continue // refused or cancelled: the flood goes on
		}
		n, _ := io.Copy(io.Discard, response.Body) // what arrives before the cancellation counts
		_ = response.Body.Close()
		largest = max(largest, n)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // a scraper's pace
		}
	}
	return largest
}

func floodUDP(t *testing.T, g *gateway, tags int) {
	p := load.DefaultProfile()
	p.Endpoint, p.Prefix, p.Types = g.udp, "made.up", []string{"c", "ms"}
	p.Series, p.Tags = 300_000, tags
	p.Rate, p.Duration, p.Lines = 60_000, 0, 900_000
	_, err := load.Run(withTimeout(t), p, nil)
	require.NoError(t, err)
}

// floodOTLP sends requests that each have new services, metric names or label values.
func floodOTLP(t *testing.T, g *gateway, what string) {
	conn, err := grpc.NewClient(g.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	client := pmetricotlp.NewGRPCClient(conn)
	const requests, perRequest = 600, 500
	for i := range requests {
		md := pmetric.NewMetrics()
		for j := range perRequest {
			id := fmt.Sprintf("made-up-%d-%d", i, j)
			service, metric, label := "shop", "clicks", "same"
			switch what {
			case "service":
				service = id
			case "name":
				metric = id
			case "label":
				label = id
			}
			rm := md.ResourceMetrics().AppendEmpty()
			rm.Resource().Attributes().PutStr("service.name", service)
			m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			m.SetName(metric)
			m.SetUnit("ms")
			m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			p := m.Histogram().DataPoints().AppendEmpty()
			p.ExplicitBounds().FromRaw([]float64{1, 2, 5, 10, 20, 50, 100})
			p.BucketCounts().FromRaw([]uint64{1, 1, 1, 1, 1, 1, 1, 1})
			p.SetCount(8)
			p.SetStartTimestamp(1)
			p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
			p.Attributes().PutStr("user", label)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, _ = client.Export(ctx, pmetricotlp.NewExportRequestFromMetrics(md)) // a refusal is an answer, too
		cancel()
		select {
		case <-g.exited:
			t.Fatal("the gateway ended in the flood")
		default:
		}
	}
}
