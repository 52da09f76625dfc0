package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// prometheus is a server of Debian's package that scrapes the gateway's page and takes remote write.
type prometheus struct {
	t       *testing.T
	address string
}

func startPrometheus(t *testing.T, target string, flags ...string) *prometheus {
	path, err := exec.LookPath("prometheus")
	require.NoError(t, err, "Prometheus is needed: run 'make deps'")
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: gateway
    honor_labels: true
    static_configs: [{targets: [%q]}]
`, target), 0o600))
	address := freeAddresses(t, 1)[0]
	return startServer(t, address, "/-/ready", exec.Command(path, append(flags,
		"--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address,
		"--web.enable-remote-write-receiver",
	)...))
}

// startVictoriaMetrics starts a server of Debian's package that takes remote write and answers as
// Prometheus does.
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

// query evaluates a PromQL expression now.
func (p *prometheus) query(ctx context.Context, expression string) []sample {
	p.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/api/v1/query?query="+url.QueryEscape(expression), http.NoBody)
	require.NoError(p.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	var answer struct {
		Status string
		Error  string
		Data   struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	require.NoError(p.t, json.NewDecoder(response.Body).Decode(&answer))
	require.Equal(p.t, "success", answer.Status, "%s: %s", expression, answer.Error)
	var out []sample
	for _, r := range answer.Data.Result {
		text, ok := r.Value[1].(string)
		require.True(p.t, ok)
		v, err := strconv.ParseFloat(text, 64)
		require.NoError(p.t, err)
		out = append(out, sample{labels: r.Metric, value: v})
	}
	return out
}

// value is the single result of an expression; an empty vector is 0.
func (p *prometheus) value(ctx context.Context, expression string) float64 {
	p.t.Helper()
	result := p.query(ctx, expression)
	if len(result) == 0 {
		return 0
	}
	require.Len(p.t, result, 1, expression)
	return result[0].value
}
