// Package selfmetrics reads the gateway's own metrics from its Prometheus endpoint.
package selfmetrics

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	// maxBytes bounds an answer. A gateway with 10,000 of its own series has about 2 MB.
	maxBytes = 8 << 20
	// maxKept bounds the lines of the families that are read, about 3,000.
	maxKept = 1 << 20
)

// Families that are read begin with one of these; all others are skipped before they are parsed.
var wanted = [][]byte{
	[]byte("otelcol_receiver_accepted_"), []byte("otelcol_receiver_refused_"), []byte("otelcol_receiver_failed_"),
	[]byte("otelcol_processor_incoming_items"), []byte("otelcol_processor_outgoing_items"),
	[]byte("otelcol_processor_memory_limiter_refused_"), []byte("otelcol_deltatocumulative_datapoints"),
	[]byte("otelcol_exporter_sent_"), []byte("otelcol_exporter_send_failed_"), []byte("otelcol_exporter_enqueue_failed_"),
	[]byte("otelcol_process_memory_rss"),
}

// Reader reads one endpoint. Not safe for concurrent use.
type Reader struct {
	client *http.Client
	url    string
}

// NewReader returns a reader of a URL. It follows no redirect and uses no proxy: the gateway asks itself.
func NewReader(url string) *Reader {
	return &Reader{
		client: &http.Client{
			// The answer comes from this machine, so compressing it would only cost memory.
			Transport:     &http.Transport{MaxIdleConns: 1, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		url: url,
	}
}

// Close closes idle connections.
func (r *Reader) Close() { r.client.CloseIdleConnections() }

// Sample is one series.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Metrics are the series by the name of their family, without a suffix _total.
type Metrics map[string][]Sample

// Read returns the metrics that the gateway page needs.
func (r *Reader) Read(ctx context.Context) (Metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	// OpenMetrics has other names of counters.
	req.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", req.URL.Redacted(), resp.Status)
	}
	limited := &io.LimitedReader{R: resp.Body, N: maxBytes + 1}
	metrics, err := parse(limited)
	if limited.N == 0 {
		return nil, fmt.Errorf("%w than %d bytes", errTooMuch, maxBytes) // the last number may be cut
	}
	return metrics, err
}

var errTooMuch = errors.New("the answer has more")

// parse reads the text format of Prometheus.
func parse(text io.Reader) (Metrics, error) {
	lines, err := onlyWanted(text)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(lines)
	if err != nil {
		return nil, err
	}
	metrics := make(Metrics, len(families))
	for name, family := range families {
		name = strings.TrimSuffix(name, "_total")
		for _, m := range family.GetMetric() {
			if v := value(m); math.Abs(v) < 1<<62 { // not NaN, and nothing that does not fit a count
				metrics[name] = append(metrics[name], Sample{labels(m), v})
			}
		}
	}
	return metrics, nil
}

// onlyWanted returns the lines of the families that are needed, which are few among those of histograms.
func onlyWanted(text io.Reader) (io.Reader, error) {
	var kept bytes.Buffer
	lines := bufio.NewScanner(text)
	lines.Buffer(make([]byte, 0, 4096), 1<<20)
	for lines.Scan() {
		line := lines.Bytes()
		name := bytes.TrimPrefix(line, []byte("# TYPE "))
		for _, prefix := range wanted {
			if bytes.HasPrefix(name, prefix) {
				kept.Write(line)
				kept.WriteByte('\n')
				break
			}
		}
		if kept.Len() > maxKept {
			return nil, fmt.Errorf("%w than %d bytes of series that the page reads", errTooMuch, maxKept)
		}
	}
	return &kept, lines.Err()
}

func labels(m *dto.Metric) map[string]string {
	labels := make(map[string]string, len(m.GetLabel()))
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.GetCounter().GetValue()
	case m.Gauge != nil:
		return m.GetGauge().GetValue()
	default:
		return m.GetUntyped().GetValue()
	}
}

// Sum adds up the series of a family that have a value of a label. ok is false if there is none.
func (m Metrics) Sum(family, label, value string) (sum float64, ok bool) {
	for _, s := range m[family] {
		if s.Labels[label] == value {
			sum, ok = sum+s.Value, true
		}
	}
	return sum, ok
}

// Values returns the values that a label has in a family.
func (m Metrics) Values(family, label string) []string {
	var values []string
	seen := map[string]bool{}
	for _, s := range m[family] {
		if v := s.Labels[label]; v != "" && !seen[v] {
			seen[v] = true
			values = append(values, v)
		}
	}
	return values
}
