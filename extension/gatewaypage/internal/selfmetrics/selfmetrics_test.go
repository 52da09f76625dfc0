package selfmetrics

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const own = `# HELP otelcol_receiver_accepted_metric_points_total Number of metric points. [Alpha]
# TYPE otelcol_receiver_accepted_metric_points_total counter
otelcol_receiver_accepted_metric_points_total{receiver="metricsudp",transport="udp"} 6
otelcol_receiver_accepted_metric_points_total{receiver="otlp",transport="grpc"} 1e+06
otelcol_receiver_accepted_metric_points_total{receiver="otlp",transport="http"} 1
# TYPE otelcol_process_memory_rss_bytes gauge
otelcol_process_memory_rss_bytes 8.617984e+07
# TYPE otelcol_exporter_fallbacklog_export_duration_seconds histogram
otelcol_exporter_fallbacklog_export_duration_seconds_bucket{exporter="fallbacklog",le="+Inf"} 5
# TYPE otelcol_processor_incoming_items counter
otelcol_processor_incoming_items{otel_signal="metrics",processor="evil\"\n<img>"} 3
# TYPE otelcol_deltatocumulative_datapoints_total counter
otelcol_deltatocumulative_datapoints_total 8
otelcol_deltatocumulative_datapoints_total{error="limit"} 2
`

func TestReadsOnlyWhatThePageNeeds(t *testing.T) {
	accepts := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accepts <- r.Header.Get("Accept")
		_, _ = w.Write([]byte(own))
	}))
	defer server.Close()
	reader := NewReader(server.URL)
	defer reader.Close()
	m, err := reader.Read(t.Context())
	require.NoError(t, err)
	require.Contains(t, <-accepts, "text/plain")
	require.Len(t, m, 4)
	points, ok := m.Sum("otelcol_receiver_accepted_metric_points", "receiver", "otlp")
	require.True(t, ok)
	require.InDelta(t, 1_000_001, points, 0)
	_, ok = m.Sum("otelcol_receiver_accepted_metric_points", "receiver", "none")
	require.False(t, ok)
	require.ElementsMatch(t, []string{"metricsudp", "otlp"}, m.Values("otelcol_receiver_accepted_metric_points", "receiver"))
	// A reader without suffixes has the same family.
	items, ok := m.Sum("otelcol_processor_incoming_items", "processor", "evil\"\n<img>")
	require.True(t, ok)
	require.InDelta(t, 3, items, 0)
	deltas, ok := m.Sum("otelcol_deltatocumulative_datapoints", "error", "limit")
	require.True(t, ok)
	require.InDelta(t, 2, deltas, 0)
	rss, ok := m.Sum("otelcol_process_memory_rss_bytes", "", "")
	require.True(t, ok)
	require.InDelta(t, 86179840, rss, 0)
}

func TestWhatIsNoMetricsPageIsAnError(t *testing.T) {
	for _, answer := range []string{
		"otelcol_receiver_accepted_x{", "otelcol_exporter_sent_spans 1 2 3 4\n",
		"otelcol_exporter_sent_spans{a=\"" + strings.Repeat("x", 2<<20) + "\"} 1\n", // a line without end
	} {
		_, err := parse(strings.NewReader(answer))
		require.Error(t, err)
	}
	m, err := parse(strings.NewReader("otelcol_exporter_sent_spans NaN\notelcol_exporter_sent_logs 1e300\notelcol_receiver_accepted_spans -Inf\n"))
	require.NoError(t, err)
	require.Empty(t, m)
	m, err = parse(strings.NewReader("<html>"))
	require.NoError(t, err)
	require.Empty(t, m)

	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	reader := NewReader(strings.Replace(server.URL, "://", "://user:pass@", 1))
	defer reader.Close()
	_, err = reader.Read(t.Context())
	require.ErrorContains(t, err, "404")
	require.NotContains(t, err.Error(), "pass@")
}

// An endpoint that is not the gateway's: too large, endless, compressed, elsewhere or silent. Nothing of it is read in part.
func TestHostileEndpoints(t *testing.T) {
	const line = "otelcol_receiver_accepted_spans{receiver=\"a\"} 123456\n"
	many := func(line string, bytes int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			block := []byte(strings.Repeat(line, 1000))
			for written := 0; written < bytes; written += len(block) {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for want, answer := range map[string]http.HandlerFunc{
		"more than 8388608 bytes": many("other 1\n", 9<<20),
		"more than 1048576 bytes": many(line, 2<<20),
		"302":                     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"deadline": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(line))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // the reader gives up
		},
	} {
		server := httptest.NewServer(answer)
		reader := NewReader(server.URL)
		limit := 10 * time.Second
		if want == "deadline" {
			limit = 50 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		m, err := reader.Read(ctx)
		cancel()
		require.ErrorContains(t, err, want)
		require.Empty(t, m)
		reader.Close()
		server.Close()
	}
}
