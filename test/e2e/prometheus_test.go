package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// prometheus is a server from Debian's package that scrapes the gateway's page and accepts remote write.
type prometheus struct {
	t       *testing.T
	address string
}

func startPrometheus(t *testing.T, target string, flags ...string) *prometheus {
	return startPrometheusWith(t, fmt.Sprintf(`
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: gateway
    honor_labels: true
    static_configs: [{targets: [%q]}]
`, target), flags...)
}

func startPrometheusWith(t *testing.T, configuration string, flags ...string) *prometheus {
	path, err := exec.LookPath("prometheus")
	require.NoError(t, err, "Prometheus is needed: run 'make deps'")
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(configuration), 0o600))
	address := freeAddresses(t, 1)[0]
	return startServer(t, address, "/-/ready", exec.Command(path, append(flags,
		"--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address,
		"--web.enable-remote-write-receiver",
	)...))
}

// startVictoriaMetrics starts a server from Debian's package that accepts remote write and has the same query API as
// Prometheus.
func startVictoriaMetrics(t *testing.T) *prometheus {
	path, err := exec.LookPath("victoria-metrics")
	require.NoError(t, err, "VictoriaMetrics is needed: run 'make deps'")
	address := freeAddresses(t, 1)[0]
	return startServer(t, address, "/health", exec.Command(path,
		"-storageDataPath="+t.TempDir(),
		"-httpListenAddr="+address,
		"-search.latencyOffset=0s", // answers with what it has
		"-search.disableCache",
	))
}

func startServer(t *testing.T, address, ready string, cmd *exec.Cmd) *prometheus {
	output := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = output, output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed on purpose
		if t.Failed() {
			t.Logf("%s' output, last part:\n%s", filepath.Base(cmd.Path), output.tail(3000))
		}
	})
	eventually(t, cmd.Path+" is ready", func() bool {
		response, err := http.Get("http://" + address + ready)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return &prometheus{t: t, address: address}
}

// sample is one element of an instant vector.
type sample struct {
	labels map[string]string
	value  float64
}

// point is one sample of a series: the time in milliseconds, and the value.
type point struct {
	ms    int64
	value float64
}

// samples is one element of a matrix, oldest first.
type samples struct {
	labels map[string]string
	points []point
}

// query evaluates a PromQL expression now.
func (p *prometheus) query(ctx context.Context, expression string) []sample {
	p.t.Helper()
	var out []sample
	for _, r := range p.ask(ctx, "query", url.Values{"query": {expression}}) {
		out = append(out, sample{r.Metric, p.point(r.Value).value})
	}
	return out
}

// matrix evaluates a range vector now. For a selector with a range it returns the stored samples.
func (p *prometheus) matrix(ctx context.Context, expression string) []samples {
	p.t.Helper()
	return p.matrixOf(p.ask(ctx, "query", url.Values{"query": {expression}}))
}

// steps evaluates an expression at every second from one moment to another.
func (p *prometheus) steps(ctx context.Context, expression string, from, to time.Time) []samples {
	p.t.Helper()
	return p.matrixOf(p.ask(ctx, "query_range", url.Values{
		"query": {expression}, "start": {fmt.Sprint(from.Unix())}, "end": {fmt.Sprint(to.Unix())}, "step": {"1"},
	}))
}

// result is one element of an answer: an element of a vector has a value, an element of a matrix has values.
type result struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

func (p *prometheus) ask(ctx context.Context, api string, parameters url.Values) []result {
	p.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/api/v1/"+api+"?"+parameters.Encode(), http.NoBody)
	require.NoError(p.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	var answer struct {
		Status string
		Error  string
		Data   struct{ Result []result }
	}
	require.NoError(p.t, json.NewDecoder(response.Body).Decode(&answer))
	require.Equal(p.t, "success", answer.Status, "%v: %s", parameters, answer.Error)
	return answer.Data.Result
}

func (p *prometheus) matrixOf(results []result) []samples {
	p.t.Helper()
	var out []samples
	for _, r := range results {
		s := samples{labels: r.Metric}
		for _, v := range r.Values {
			s.points = append(s.points, p.point(v))
		}
		out = append(out, s)
	}
	return out
}

func (p *prometheus) point(v [2]any) point {
	p.t.Helper()
	seconds, ok := v[0].(float64)
	require.True(p.t, ok)
	text, ok := v[1].(string)
	require.True(p.t, ok)
	value, err := strconv.ParseFloat(text, 64)
	require.NoError(p.t, err)
	return point{int64(math.Round(seconds * 1000)), value}
}

// value returns the single result of an expression. An empty vector is 0.
func (p *prometheus) value(ctx context.Context, expression string) float64 {
	p.t.Helper()
	result := p.query(ctx, expression)
	if len(result) == 0 {
		return 0
	}
	require.Len(p.t, result, 1, expression)
	return result[0].value
}
