package deploy

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chartutil"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// upstreamDefaults is the key "config" of the upstream chart 0.170.0 in a shorter form. The chart itself is not needed.
const upstreamDefaults = `
receivers:
  otlp: {protocols: {grpc: {endpoint: "${env:MY_POD_IP}:4317"}, http: {endpoint: "${env:MY_POD_IP}:4318"}}}
  jaeger: {protocols: {grpc: {endpoint: "${env:MY_POD_IP}:14250"}, thrift_http: {endpoint: "${env:MY_POD_IP}:14268"}}}
  zipkin: {endpoint: "${env:MY_POD_IP}:9411"}
  prometheus: {config: {scrape_configs: [{job_name: self, static_configs: [{targets: ["${env:MY_POD_IP}:8888"]}]}]}}
processors:
  batch: {}
  memory_limiter: {check_interval: 5s, limit_percentage: 80, spike_limit_percentage: 25}
exporters: {debug: {}}
extensions: {health_check: {endpoint: "${env:MY_POD_IP}:13133"}}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [otlp, jaeger, zipkin], processors: [memory_limiter, batch], exporters: [debug]}
    metrics: {receivers: [otlp, prometheus], processors: [memory_limiter, batch], exporters: [debug]}
    logs: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [debug]}
  telemetry:
    resource: {k8s.pod.name: "${env:OTEL_K8S_POD_NAME}", k8s.namespace.name: "${env:OTEL_K8S_NAMESPACE}"}
    metrics: {readers: [{pull: {exporter: {prometheus: {host: "${env:MY_POD_IP}", port: 8888}}}}]}
`

// upstreamValues are the values of deploy/upstream-chart that the test applies as the chart does.
type upstreamValues struct {
	Config  map[string]any `json:"config"`
	Command struct {
		ExtraArgs []string `json:"extraArgs"`
	} `json:"command"`
	ExtraEnvs      []core.EnvVar `json:"extraEnvs"`
	LivenessProbe  core.Probe    `json:"livenessProbe"`
	ReadinessProbe core.Probe    `json:"readinessProbe"`
}

func readUpstreamValues(t *testing.T) (v upstreamValues) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(read(t, fromRoot("deploy", "upstream-chart", "values.yaml"))), &v))
	return v
}

// TestUpstreamChartValues: the configuration that the upstream chart makes of our values is valid and runs. The telemetry
// reader keeps "_total" and units, so that the metrics have the names that dashboards and alerts query.
func TestUpstreamChartValues(t *testing.T) {
	v := readUpstreamValues(t)
	defaults := map[string]any{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(upstreamDefaults), &defaults))
	relay, err := yaml.Marshal(chartutil.CoalesceTables(v.Config, defaults))
	require.NoError(t, err)

	// The pod's ports become free ones on loopback.
	addresses := map[string]string{}
	text := regexp.MustCompile(`(?:\$\{env:MY_POD_IP\}|localhost):(\d+)`).ReplaceAllStringFunc(string(relay), func(found string) string {
		port := found[strings.LastIndex(found, ":")+1:]
		if addresses[port] == "" {
			addresses[port] = freeAddress(t)
		}
		return addresses[port]
	})
	host, port, err := net.SplitHostPort(addresses["8888"])
	require.NoError(t, err)
	text = strings.NewReplacer("host: ${env:MY_POD_IP}", "host: "+host, "port: 8888", "port: "+port).Replace(text)
	file := filepath.Join(t.TempDir(), "relay.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))

	c := container{env: map[string]string{"OTEL_K8S_POD_NAME": "the-pod", "OTEL_K8S_NAMESPACE": "the-namespace"}}
	for _, arg := range append([]string{"--config=/conf/relay.yaml"}, v.Command.ExtraArgs...) {
		c.args = append(c.args, strings.NewReplacer("/conf/relay.yaml", file, "/etc/otelcol-custom/", fromRoot("configs")+"/").Replace(arg))
	}
	for _, e := range v.ExtraEnvs {
		c.env[e.Name] = e.Value
	}
	c.env["OTLP_ENDPOINT"], c.env["OTLP_INSECURE"] = freeAddress(t), "true"
	c.env["OTLP_HTTP_ENDPOINT"] = addresses["4318"]
	c.env["FALLBACKLOG_DIRECTORY"] = filepath.Join(t.TempDir(), "log")
	output, err := c.command(t, "validate").CombinedOutput()
	require.NoError(t, err, "%s\n%s", output, text)

	probed := func(p core.Probe) string { return "http://" + addresses[p.HTTPGet.Port.String()] + p.HTTPGet.Path }
	c.ready = probed(v.ReadinessProbe)
	stop := c.start(t)
	status, _ := fetch(probed(v.LivenessProbe))
	assert.Equal(t, http.StatusOK, status)
	require.Equal(t, http.StatusOK, c.postOneLog(t))
	require.True(t, c.logged(t, "swordfish"))
	_, page := fetch("http://" + addresses["8888"] + "/metrics")
	assert.Regexp(t, `target_info\{.*k8s_namespace_name="the-namespace".*k8s_pod_name="the-pod"`, page)
	// The first is what an alert of the upstream chart queries.
	for _, name := range []string{"otelcol_receiver_refused_log_records_total", "otelcol_process_uptime_seconds_total", "otelcol_process_memory_rss_bytes"} {
		assert.Regexp(t, `(?m)^`+name+`[{ ]`, page)
	}
	assertNames(t, page)
	stop()
}
