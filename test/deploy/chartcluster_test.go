package deploy

import (
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestRenderedPageWantsTheToken: the opened page answers under the names that the values allow, and its API to those who
// have the token of the Secret.
func TestRenderedPageWantsTheToken(t *testing.T) {
	c := place(t, render(t, `{kubernetesAttributes: {enabled: false}, gatewayPage: {enabled: true, existingSecret: page, allowedHosts: [gateway.example.org]}}`),
		"StatefulSet/shop-otelcol-custom", "ConfigMap/shop-otelcol-custom-gateway")
	c.env["OTLP_ENDPOINT"], c.env["OTLP_INSECURE"] = freeAddress(t), "true"
	stop := c.start(t)
	state := func(host, token string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.env["GATEWAYPAGE_ENDPOINT"]+"/api/v1/state", nil)
		require.NoError(t, err)
		request.Host = host
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	assert.Equal(t, http.StatusUnauthorized, state("gateway.example.org", ""))
	assert.Equal(t, http.StatusUnauthorized, state("gateway.example.org", "another"))
	assert.Equal(t, http.StatusOK, state("gateway.example.org", c.env["GATEWAYPAGE_TOKEN"]))
	assert.Equal(t, http.StatusMisdirectedRequest, state("other.example.org", c.env["GATEWAYPAGE_TOKEN"]))
	live, _ := fetch("http://" + c.env["PROBES_ENDPOINT"] + "/livez")
	assert.Equal(t, http.StatusOK, live)
	stop()

	c.env["GATEWAYPAGE_TOKEN"] = ""
	output, err := c.command(t).CombinedOutput()
	require.Error(t, err, "an empty token opens the page to everybody")
	assert.Contains(t, string(output), "token")
}

// TestRenderedClusterRuns: a gateway reaches the store with the password of the Secret, and starts without the store.
func TestRenderedClusterRuns(t *testing.T) {
	for name, run := range map[string]struct{ password, state string }{
		"answers":            {"the-valkey_password", "0"},
		"refuses a password": {"another", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			values := `{kubernetesAttributes: {enabled: false}, cluster: {enabled: true, existingSecret: places, endpoints: ["` + store(t, run.password) + `"]}}`
			c := place(t, render(t, values), "StatefulSet/shop-otelcol-custom", "ConfigMap/shop-otelcol-custom-gateway")
			c.env["OTLP_ENDPOINT"], c.env["OTLP_INSECURE"] = freeAddress(t), "true"
			stop := c.start(t)
			state := regexp.MustCompile(`(?m)^otelcol_processor_cardinalitylimit_cluster_state\{.*\} ` + run.state + `$`)
			eventually(t, "the state of the store", func() bool {
				_, page := fetch("http://" + net.JoinHostPort(c.env["TELEMETRY_HOST"], c.env["TELEMETRY_PORT"]) + "/metrics")
				return state.MatchString(page)
			})
			stop()
		})
	}
}

// TestClusterConfiguration: fewest gateways are the replicas, unless the values say otherwise, and never less than one.
func TestClusterConfiguration(t *testing.T) {
	const on = `cluster: {enabled: true, existingSecret: places, endpoints: ["valkey:6379"]}`
	for values, want := range map[string]string{
		`{}`:                                "min_gateways: 5\n",
		`{gateway: {replicas: 3}}`:          "min_gateways: 3\n",
		`{gateway: {replicas: 0}}`:          "min_gateways: 1\n",
		`{cluster: {minGateways: 7}}`:       "min_gateways: 7\n",
		`{cluster: {prefix: shop}}`:         "prefix: \"shop\"\n",
		`{cluster: {tls: {enabled: true}}}`: "tls: {}\n",
		`{cluster: {tls: {enabled: true, caSecret: {name: v, key: ca}}}}`: `tls: {"ca_file":"/etc/otelcol-custom-store-ca/ca"}`,
	} {
		text, err := manifest(merged(t, smallest, merged(t, on, values)))
		require.NoError(t, err)
		assert.Contains(t, text, want, values)
	}
}

// TestClusterTrustsTheSecret: with TLS to the store the configuration is valid, and its ca_file is the key of the Secret that
// the pod mounts there.
func TestClusterTrustsTheSecret(t *testing.T) {
	all := render(t, `cluster: {enabled: true, existingSecret: places, endpoints: ["valkey:6379"], tls: {enabled: true, caSecret: {name: valkey, key: ca.pem}}}`)
	const workload, configMap = "StatefulSet/shop-otelcol-custom", "ConfigMap/shop-otelcol-custom-gateway"
	output, err := place(t, all, workload, configMap).command(t, "validate").CombinedOutput()
	require.NoError(t, err, "%s", output)

	var overlay struct {
		Processors struct {
			CardinalityLimit struct {
				Cluster struct {
					Redis struct {
						TLS struct {
							CAFile string `json:"ca_file"`
						} `json:"tls"`
					} `json:"redis"`
				} `json:"cluster"`
			} `json:"cardinalitylimit"`
		} `json:"processors"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(get[core.ConfigMap](t, all, configMap).Data["kubernetes.yaml"]), &overlay))
	file := overlay.Processors.CardinalityLimit.Cluster.Redis.TLS.CAFile
	assert.Equal(t, "ca.pem", filepath.Base(file))
	spec := pods(all)[workload].Spec
	volume := ""
	for _, mount := range spec.Containers[0].VolumeMounts {
		if mount.MountPath == filepath.Dir(file) {
			assert.True(t, mount.ReadOnly)
			volume = mount.Name
		}
	}
	secret := ""
	for _, v := range spec.Volumes {
		if v.Name == volume && v.Secret != nil {
			secret = v.Secret.SecretName
		}
	}
	assert.Equal(t, "valkey", secret)
}

// store runs redis-server with a password on a free port until the test ends.
func store(t *testing.T, password string) (address string) {
	t.Helper()
	address = freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir, //nolint:gosec,noctx // ended below
		"--logfile", filepath.Join(dir, "log"), "--requirepass", password)
	require.NoError(t, cmd.Start(), "`make deps` installs it")
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	eventually(t, "the store answers", func() bool {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		defer conn.Close()
		if conn.SetDeadline(time.Now().Add(time.Second)) != nil {
			return false
		}
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return false
		}
		answer := make([]byte, 16)
		n, _ := conn.Read(answer) // nothing is no answer
		return strings.HasPrefix(string(answer[:n]), "-NOAUTH")
	})
	return address
}
