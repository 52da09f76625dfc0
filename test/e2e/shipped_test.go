package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

const deltaOfOne = `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
	"scopeMetrics":[{"metrics":[{"name":"paid","sum":{"aggregationTemporality":1,"isMonotonic":true,
	"dataPoints":[{"asInt":"1","startTimeUnixNano":"1000000000","timeUnixNano":"2000000000"}]}}]}]}]}`

// logged returns the content of the local log's segments of a signal.
func (g *gateway) logged(t *testing.T, signal string) string {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(g.log, "*", signal, "*.jsonl"))
	require.NoError(t, err)
	var all strings.Builder
	for _, segment := range segments {
		content, err := os.ReadFile(segment)
		require.NoError(t, err)
		all.Write(content)
	}
	return all.String()
}

// TestEdge: without a backend all data goes to the local log, in less memory than the other configurations need. When a backend
// appears, the log is drained.
func TestEdge(t *testing.T) {
	g := newGateway(t, "edge.yaml", impatient)
	g.env["AGGREGATION_INTERVAL"] = "1s"
	g.start()
	g.sendDatagram(t, "hits:7|c")
	postOTLP(t, g, deltaOfOne)
	eventually(t, "both are logged", func() bool {
		logged := g.logged(t, "metrics")
		return strings.Contains(logged, `"paid"`) && strings.Contains(logged, `"hits"`)
	})
	assert.Less(t, g.peakRSS(), int64(150<<20))
	b := startBackend(t, g.backend)
	eventually(t, "both are delivered", func() bool { return b.sum("paid") == 1 && b.sum("hits") == 7 })
	g.stop()
}

// TestDurableGateway: data that gateway.yaml acknowledged arrives after an outage and kill -9.
func TestDurableGateway(t *testing.T) {
	g := newGateway(t, "gateway.yaml", `
exporters:
  fallbacklog/metrics: {timeout: 500ms, budget: 500ms, circuit_breaker: {failure_threshold: 2, open_interval: 200ms, max_open_interval: 200ms}}
  fallbacklog: {timeout: 500ms, budget: 500ms, circuit_breaker: {failure_threshold: 2, open_interval: 200ms, max_open_interval: 200ms}}
`)
	b := startBackend(t, g.backend)
	g.start()
	s := newSender(t, g.grpc)
	s.sendAll(t, 30)
	delivered, missing := b.has(s.acknowledged())
	assert.True(t, delivered, "%s was acknowledged before it was delivered", missing)
	b.setDeny(true)
	s.sendAll(t, 60)
	g.kill()
	b.setDeny(false)
	g.start()
	eventually(t, "every acknowledged item arrives", func() bool { all, _ := b.has(s.acknowledged()); return all })
	g.stop()
}

// TestPersistentQueue: data that the stock queue acknowledged while the backend was down arrives after kill -9.
func TestPersistentQueue(t *testing.T) {
	g := newGateway(t, "persistent-queue.yaml")
	g.start()
	s := newSender(t, g.grpc)
	s.sendAll(t, 60)
	g.kill()
	b := startBackend(t, g.backend)
	g.start()
	eventually(t, "every acknowledged item arrives", func() bool { all, _ := b.has(s.acknowledged()); return all })
	g.stop()
}

// TestTraces: errors and slow traces are kept, and the configured share of the other traces. Span metrics count all spans,
// within the limit.
func TestTraces(t *testing.T) {
	g := newGateway(t, "traces.yaml")
	g.env["TAIL_SAMPLING_WAIT"], g.env["TAIL_SAMPLING_PERCENT"], g.env["SPAN_METRICS_INTERVAL"] = "1s", "0", "1s"
	g.env["CARDINALITY_MAX_SERIES"] = "10"
	r := startRecorder(t, g.backend)
	g.start()
	const spans = 50
	var all []string
	now := time.Now().UnixNano()
	for i := range spans {
		ends, status := now+int64(time.Millisecond), "1"
		switch i {
		case 7:
			status = "2"
		case 9:
			ends = now + int64(2*time.Second)
		}
		all = append(all, fmt.Sprintf(`{"name":"span-%d","kind":2,"traceId":"%032x","spanId":"%016x","startTimeUnixNano":"%d","endTimeUnixNano":"%d","status":{"code":%s}}`,
			i, i+1, i+1, now, ends, status))
	}
	require.Equal(t, http.StatusOK, g.post(t, "/v1/traces", `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
		"scopeSpans":[{"spans":[`+strings.Join(all, ",")+`]}]}]}`))
	eventually(t, "the error and the slow trace are kept", func() bool {
		kept := r.spans()
		return slices.Contains(kept, "span-7") && slices.Contains(kept, "span-9")
	})
	assert.Len(t, r.spans(), 2)
	eventually(t, "span metrics arrive", func() bool { return r.points()["traces.span.metrics.calls"] > 0 })
	assert.Positive(t, g.own("otelcol_processor_cardinalitylimit_points_total", "action", "overflow"), "50 span names meet a limit of 10")
	g.stop()
}

// TestKafka: each signal reaches its topic, as one OTLP request.
func TestKafka(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "otlp_metrics", "otlp_spans", "otlp_logs"))
	require.NoError(t, err)
	defer cluster.Close()
	g := newGateway(t, "kafka.yaml")
	g.env["KAFKA_BROKERS"] = cluster.ListenAddrs()[0]
	g.start()
	postOTLP(t, g, deltaOfOne)
	require.Equal(t, http.StatusOK, g.post(t, "/v1/logs", logsOf(3)))
	require.Equal(t, http.StatusOK, g.post(t, "/v1/traces", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"visit","traceId":"01000000000000000000000000000000","spanId":"0100000000000000"}]}]}]}`))

	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("otlp_metrics", "otlp_spans", "otlp_logs"))
	require.NoError(t, err)
	defer client.Close()
	got := map[string][]byte{}
	for ctx := withTimeout(t); len(got) < 3; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, ctx.Err())
		fetches.EachRecord(func(record *kgo.Record) { got[record.Topic] = record.Value })
	}
	metrics, logs, traces := pmetricotlp.NewExportRequest(), plogotlp.NewExportRequest(), ptraceotlp.NewExportRequest()
	require.NoError(t, metrics.UnmarshalProto(got["otlp_metrics"]))
	require.NoError(t, logs.UnmarshalProto(got["otlp_logs"]))
	require.NoError(t, traces.UnmarshalProto(got["otlp_spans"]))
	assert.Equal(t, 1, metrics.Metrics().DataPointCount())
	assert.Equal(t, 3, logs.Logs().LogRecordCount())
	assert.Equal(t, 1, traces.Traces().SpanCount())
	g.stop()
}

// TestStatsdMigration: lines of a client of contrib's statsd receiver are on the page, folded by the limit.
func TestStatsdMigration(t *testing.T) {
	g := newGateway(t, "statsd-migration.yaml")
	g.env["AGGREGATION_INTERVAL"], g.env["CARDINALITY_MAX_SERIES"] = "1s", "5"
	g.start()
	for i := range 20 {
		g.sendDatagram(t, fmt.Sprintf("logins:1|c|#user:%d", i))
	}
	g.sendDatagram(t, "latency:12|ms\nqueue:3|g")
	eventually(t, "the counters are on the page with their total", func() bool {
		page := scrape(t, g.page, "logins_total")
		if page == nil {
			page = scrape(t, g.page, "logins")
		}
		var sum float64
		for _, s := range page {
			sum += s.value
		}
		return sum == 20 && len(page) == 5 // 4 of the 5 places are free at first, and the overflow
	})
	eventually(t, "the timer and the gauge", func() bool {
		return len(scrape(t, g.page, "latency")) == 1 && len(scrape(t, g.page, "queue")) == 1
	})
	g.sendDatagram(t, "jobs:10|c")
	sendUDPFrom(t, "127.0.0.2", g.udp, "jobs:1|c")
	eventually(t, "the counters of both senders are on the page", func() bool {
		page := scrape(t, g.page, "jobs")
		return len(page) == 2 && page[0].value+page[1].value == 11
	})
	g.stop()
}
