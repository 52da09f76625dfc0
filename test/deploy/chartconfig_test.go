package deploy

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// patience bounds what a test waits for a process; a healthy run needs a fraction of it.
const patience = 60 * time.Second

// container is a rendered container whose configuration lies in a directory, with addresses of the test.
type container struct {
	args []string
	env  map[string]string
	// ready is the URL that answers 200 when the container is ready.
	ready string
}

// place writes the configuration of a pod into a directory, and moves the addresses of its container to free ones on loopback.
func place(t *testing.T, all map[string]object, workload, configMap string) container {
	t.Helper()
	dir := t.TempDir()
	for name, content := range get[core.ConfigMap](t, all, configMap).Data {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	rendered := pods(all)[workload].Spec.Containers[0]
	c := container{env: environment(rendered)}
	for _, arg := range rendered.Args {
		c.args = append(c.args, strings.Replace(arg, "/conf/", dir+"/", 1))
	}
	for name, value := range c.env {
		if strings.HasPrefix(value, "0.0.0.0:") {
			c.env[name] = freeAddress(t)
		}
		if value == fromSecret {
			c.env[name] = "the-" + strings.ToLower(name)
		}
		if strings.Contains(value, "metadata.") || strings.Contains(value, "spec.") {
			c.env[name] = "the-" + strings.ToLower(name)
		}
	}
	c.ready = "http://" + c.env["PROBES_ENDPOINT"] + rendered.ReadinessProbe.HTTPGet.Path
	telemetry := freeAddress(t)
	c.env["TELEMETRY_HOST"], c.env["TELEMETRY_PORT"], _ = net.SplitHostPort(telemetry)
	if c.env["GATEWAYPAGE_ENDPOINT"] == "" {
		c.env["GATEWAYPAGE_ENDPOINT"] = freeAddress(t)
	}
	c.env["PPROF_ENDPOINT"], c.env["ZPAGES_ENDPOINT"] = freeAddress(t), freeAddress(t)
	c.env["FALLBACKLOG_DIRECTORY"] = filepath.Join(dir, "log")
	return c
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// command is the gateway with the container's arguments and nothing in its environment but the container's.
func (c container) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), gateway(t), append(args, c.args...)...)
	cmd.Env = []string{"HOME=/nonexistent"}
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// start runs the container until it is ready. The returned function ends it by SIGTERM.
func (c container) start(t *testing.T) (stop func()) {
	t.Helper()
	return c.launch(t, c.command(t))
}

// runAs runs the container by a command of its own while the test does something.
func (c container) runAs(t *testing.T, cmd *exec.Cmd, do func()) {
	t.Helper()
	stop := c.launch(t, cmd)
	do()
	stop()
}

func (c container) launch(t *testing.T, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = output, output
	require.NoError(t, cmd.Start())
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	eventually(t, "ready", func() bool {
		select {
		case err := <-exited:
			t.Fatalf("it ended: %v\n%s", err, read(t, output.Name()))
		default:
		}
		status, _ := fetch(c.ready)
		return status == http.StatusOK
	})
	return func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, <-exited, "%s", read(t, output.Name()))
	}
}

// fetch gives status and body of an address, 0 where nobody answers.
func fetch(address string) (int, string) {
	response, err := http.Get(address) //nolint:noctx // on loopback, from a test
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, ""
	}
	return response.StatusCode, string(body)
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-tick.C {
		require.True(t, time.Now().Before(deadline), "not within %v: %s", patience, what)
	}
}

// postOneLog sends oneLog as OTLP in JSON and returns the status of the answer.
func (c container) postOneLog(t *testing.T) int {
	t.Helper()
	response, err := http.Post("http://"+c.env["OTLP_HTTP_ENDPOINT"]+"/v1/logs", "application/json", strings.NewReader(oneLog)) //nolint:noctx // on loopback
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

const oneLog = `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"swordfish"}}]}]}]}`

// logged reports whether a file of the local log has a text.
func (c container) logged(t *testing.T, text string) bool {
	t.Helper()
	found := false
	require.NoError(t, filepath.WalkDir(c.env["FALLBACKLOG_DIRECTORY"], func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found = found || strings.Contains(read(t, path), text)
		return nil
	}))
	return found
}

// TestRenderedConfigurations: what the ConfigMaps contain is valid, in each form that the values give it.
func TestRenderedConfigurations(t *testing.T) {
	for name, values := range map[string]string{
		"all":        everything,
		"no preset":  `kubernetesAttributes: {enabled: false}`,
		"http":       `backend: {protocol: http, endpoint: "https://otlp.example.com"}`,
		"socket":     merged(t, everything, `udp: {socketDirectory: /run/statsd}`),
		"own":        merged(t, everything, `gateway: {config: {exporters: {fallbacklog/grpc: {exporter: {otlp_grpc: {headers: {x-team: shop}}}}}}}`),
		"dry run":    `gateway: {cardinality: {mode: dry_run, action: overflow, maxSeries: 1}}`,
		"large":      `gateway: {resources: {limits: {cpu: 4, memory: 8Gi}}}`,
		"smallest":   `gateway: {resources: {limits: {cpu: 1m, memory: 64Mi}}}`,
		"page":       `gatewayPage: {enabled: true, existingSecret: page}`,
		"cluster":    `cluster: {enabled: true, existingSecret: places, endpoints: ["a:6379", "b:6379"], minGateways: 2, tls: {enabled: true}}`,
		"no network": `networkPolicy: {enabled: false}`,
	} {
		t.Run(name, func(t *testing.T) {
			all := render(t, values)
			for workload, configMap := range map[string]string{
				"StatefulSet/shop-otelcol-custom":       "ConfigMap/shop-otelcol-custom-gateway",
				"Deployment/shop-otelcol-custom-router": "ConfigMap/shop-otelcol-custom-router",
				"DaemonSet/shop-otelcol-custom-udp":     "ConfigMap/shop-otelcol-custom-udp",
			} {
				if _, rendered := all[workload]; !rendered {
					continue
				}
				output, err := place(t, all, workload, configMap).command(t, "validate").CombinedOutput()
				assert.NoError(t, err, "%s: %s", workload, output)
			}
		})
	}
}

// TestRenderedGatewayRuns: without a backend a gateway answers when the data is in its log, its telemetry says which pod it
// is of, and the metrics of dashboards and alerts have their names under the chart's reader.
func TestRenderedGatewayRuns(t *testing.T) {
	c := place(t, render(t, `kubernetesAttributes: {enabled: false}`), "StatefulSet/shop-otelcol-custom", "ConfigMap/shop-otelcol-custom-gateway")
	c.env["OTLP_ENDPOINT"], c.env["OTLP_INSECURE"] = freeAddress(t), "true"
	stop := c.start(t)
	require.Equal(t, http.StatusOK, c.postOneLog(t))
	require.True(t, c.logged(t, "swordfish"))
	_, page := fetch("http://" + net.JoinHostPort(c.env["TELEMETRY_HOST"], c.env["TELEMETRY_PORT"]) + "/metrics")
	assert.Regexp(t, `target_info\{.*k8s_namespace_name="the-pod_namespace".*k8s_node_name="the-node_name".*k8s_pod_name="the-pod_name"`, page)
	assertNames(t, page)
	stop()
}

// assertNames: the metrics of dashboards and alerts that a page has, are on it under exactly their names.
func assertNames(t *testing.T, page string) {
	t.Helper()
	missing := 0
	for _, name := range queriedNames(t) {
		// What has not happened to this gateway is not on its page; the rest must be under exactly this name.
		bare := regexp.MustCompile(`(?m)^` + strings.TrimSuffix(strings.TrimSuffix(name, "_total"), "_bucket") + `(_[a-z]+)?\{`)
		if found := bare.FindString(page); found == "" {
			missing++
		} else {
			assert.Contains(t, page, "\n"+name+"{", "the reader has another name: %s", found)
		}
	}
	assert.Less(t, missing, 45)
}

// queriedNames are the gateway's metrics that dashboards and alerts ask for.
func queriedNames(t *testing.T) (names []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, pattern := range []string{"grafana/*.json", "alerts/*.yaml"} {
		files, err := filepath.Glob(fromRoot("deploy", filepath.FromSlash(pattern)))
		require.NoError(t, err)
		for _, file := range files {
			for _, name := range regexp.MustCompile(`\botelcol_(?:exporter|processor|process|receiver)_[a-z0-9_]+`).FindAllString(read(t, file), -1) {
				if !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
		}
	}
	require.Greater(t, len(names), 50)
	return names
}

// TestRenderedRouterRuns: the router sends to the gateways that its DNS name gives, and hands an error back when none is there.
func TestRenderedRouterRuns(t *testing.T) {
	all := render(t, merged(t, everything, `{kubernetesAttributes: {enabled: false}, cluster: {enabled: false}, backend: {insecure: true, caSecret: {name: ""}}}`))
	behind := place(t, all, "StatefulSet/shop-otelcol-custom", "ConfigMap/shop-otelcol-custom-gateway")
	behind.env["OTLP_ENDPOINT"] = freeAddress(t)
	router := place(t, all, "Deployment/shop-otelcol-custom-router", "ConfigMap/shop-otelcol-custom-router")
	assert.Equal(t, "shop-otelcol-custom-headless.telemetry.svc", router.env["GATEWAYS"])
	host, port, err := net.SplitHostPort(behind.env["OTLP_GRPC_ENDPOINT"])
	require.NoError(t, err)
	router.env["GATEWAYS"], router.env["GATEWAYS_PORT"] = host, port
	stopGateway := behind.start(t)
	stopRouter := router.start(t)
	require.Equal(t, http.StatusOK, router.postOneLog(t))
	require.True(t, behind.logged(t, "swordfish"), "answered before a gateway had it")
	stopGateway()
	assert.NotEqual(t, http.StatusOK, router.postOneLog(t), "nobody has it")
	stopRouter()
}

// TestRenderedAgentRuns: an agent on a node becomes ready while no gateway is there.
func TestRenderedAgentRuns(t *testing.T) {
	c := place(t, render(t, `udp: {enabled: true}`), "DaemonSet/shop-otelcol-custom-udp", "ConfigMap/shop-otelcol-custom-udp")
	c.env["OTLP_ENDPOINT"] = freeAddress(t)
	// The agent has OTLP on loopback as well.
	c.env["OTLP_GRPC_ENDPOINT"], c.env["OTLP_HTTP_ENDPOINT"] = freeAddress(t), freeAddress(t)
	c.start(t)()
}

// TestRenderedPresetAgainstAnAPI: with the Kubernetes preset the gateway asks the API server for pods, and adds the
// attributes of the one whose address the data comes from.
func TestRenderedPresetAgainstAnAPI(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(answerAPI))
	t.Cleanup(func() {
		api.CloseClientConnections() // else watches would keep Close waiting
		api.Close()
	})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, fmt.Appendf(nil, `
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: %q}}]
users: [{name: test, user: {}}]
`, api.URL), 0o600))
	c := place(t, render(t, `gateway: {config: {processors: {k8s_attributes: {auth_type: kubeConfig}}}}`),
		"StatefulSet/shop-otelcol-custom", "ConfigMap/shop-otelcol-custom-gateway")
	c.env["KUBECONFIG"], c.env["OTLP_ENDPOINT"], c.env["OTLP_INSECURE"] = kubeconfig, freeAddress(t), "true"
	stop := c.start(t)
	eventually(t, "attributes of the sender's pod", func() bool {
		require.Equal(t, http.StatusOK, c.postOneLog(t))
		return c.logged(t, "cart-7d4b9")
	})
	assert.True(t, c.logged(t, "k8s.namespace.name"))
	stop()
}

// answerAPI lists one pod whose address is loopback, and nothing of any other kind. Watches stay open without an event.
func answerAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("sendInitialEvents") != "" {
		w.WriteHeader(http.StatusUnprocessableEntity) // as older servers do; the client then lists
		return
	}
	if r.URL.Query().Get("watch") != "" {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // the watcher may have gone
		<-r.Context().Done()
		return
	}
	list := core.PodList{TypeMeta: meta.TypeMeta{Kind: "PodList", APIVersion: "v1"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}}
	switch {
	case strings.HasSuffix(r.URL.Path, "/pods"):
		list.Items = []core.Pod{{
			ObjectMeta: meta.ObjectMeta{Name: "cart-7d4b9", Namespace: "shop", UID: "u1", CreationTimestamp: meta.Now()},
			Spec:       core.PodSpec{NodeName: "node-1"},
			Status:     core.PodStatus{PodIP: "127.0.0.1", Phase: core.PodRunning},
		}}
	case strings.HasSuffix(r.URL.Path, "/namespaces"):
		list.Kind = "NamespaceList"
	case strings.HasSuffix(r.URL.Path, "/nodes"):
		list.Kind = "NodeList"
	case strings.HasSuffix(r.URL.Path, "/replicasets"):
		list.TypeMeta = meta.TypeMeta{Kind: "ReplicaSetList", APIVersion: "apps/v1"}
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(list) // the client may have gone
}
