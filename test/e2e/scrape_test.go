package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// series is one sample of a text exposition.
type series struct {
	labels map[string]string
	value  float64
}

// families reads a Prometheus page.
func families(t *testing.T, address string) map[string]*dto.MetricFamily {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	found, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	require.NoError(t, err)
	return found
}

// scrape reads one metric family of a Prometheus page: the values of counters, gauges and untyped metrics, and the counts of
// histograms. It returns nil if the page does not have the family.
func scrape(t *testing.T, address, name string) []series {
	t.Helper()
	family := families(t, address)[name]
	if family == nil {
		return nil
	}
	var out []series
	for _, m := range family.GetMetric() {
		s := series{labels: map[string]string{}}
		for _, l := range m.GetLabel() {
			s.labels[l.GetName()] = l.GetValue()
		}
		switch family.GetType() {
		case dto.MetricType_COUNTER:
			s.value = m.GetCounter().GetValue()
		case dto.MetricType_GAUGE:
			s.value = m.GetGauge().GetValue()
		case dto.MetricType_HISTOGRAM:
			s.value = float64(m.GetHistogram().GetSampleCount())
		default:
			s.value = m.GetUntyped().GetValue()
		}
		out = append(out, s)
	}
	return out
}

// documented are the gateway's own metrics on the components' generated pages.
var documented = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	pages, err := filepath.Glob("../../*/*/documentation.md")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			panic(err)
		}
		for line := range strings.Lines(string(content)) {
			if name, ok := strings.CutPrefix(line, "### otelcol_"); ok {
				names["otelcol_"+strings.TrimSpace(name)] = true
			}
		}
	}
	return names
})

// own returns the sum of one of the gateway's own metrics over the series with the labels, given as pairs of name and value.
// The page may not have a counter yet that has counted nothing. A name that no component has fails the test.
func (g *gateway) own(name string, labels ...string) float64 {
	g.t.Helper()
	if strings.HasPrefix(name, "otelcol_") {
		require.True(g.t, documented()[strings.TrimSuffix(name, "_total")], "no component documents %s", name)
	}
	var sum float64
	for _, s := range scrape(g.t, g.telemetry, name) {
		match := true
		for i := 0; i < len(labels); i += 2 {
			match = match && s.labels[labels[i]] == labels[i+1]
		}
		if match {
			sum += s.value
		}
	}
	return sum
}
