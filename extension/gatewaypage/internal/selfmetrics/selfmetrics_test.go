package selfmetrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
	reader := Reader{server.Client(), server.URL}
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
	m, err := parse(strings.NewReader("<html>"))
	require.NoError(t, err)
	require.Empty(t, m)

	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	reader := Reader{server.Client(), strings.Replace(server.URL, "://", "://user:pass@", 1)}
	_, err = reader.Read(t.Context())
	require.ErrorContains(t, err, "404")
	require.NotContains(t, err.Error(), "pass@")
}
