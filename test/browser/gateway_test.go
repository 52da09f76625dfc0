package browser

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// root of the repository.
const root = "../.."

// binary is the gateway that is tested.
func binary(t testing.TB) string {
	path := os.Getenv("OTELCOL_CUSTOM")
	if path == "" {
		path = filepath.Join(root, "bin", "otelcol-custom")
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Skip("no gateway is built: make build")
	}
	return path
}

// gatewaytop is the command of that name beside the binary.
func gatewaytop(t testing.TB) string { return filepath.Join(filepath.Dir(binary(t)), "gatewaytop") }

// process is a running otelcol-custom.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	log  string
}

func start(t testing.TB, env map[string]string, configs ...string) *process {
	t.Helper()
	p := &process{t: t, done: make(chan struct{}), log: filepath.Join(t.TempDir(), "log")}
	var args []string
	for _, c := range configs {
		args = append(args, "--config", c)
	}
	p.cmd = exec.Command(binary(t), args...)
	p.cmd.Dir = root
	p.cmd.Env = os.Environ()
	for k, v := range env {
		p.cmd.Env = append(p.cmd.Env, k+"="+v)
	}
	log, err := os.Create(p.log)
	require.NoError(t, err)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	require.NoError(t, p.cmd.Start())
	require.NoError(t, log.Close())
	go func() {
		_ = p.cmd.Wait() // its code does not matter
		close(p.done)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		if t.Failed() {
			content, _ := os.ReadFile(p.log)
			t.Logf("%s", content)
		}
	})
	return p
}

// signal sends a signal and waits until the process has ended, unless it is a reload.
func (p *process) signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s) // it may have ended
	if s == syscall.SIGHUP {
		return
	}
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// gateway is one with configs/quickstart.yaml, faster than it ships.
type gateway struct {
	*process
	env       map[string]string
	configs   []string
	page      string // URL
	probes    string // URL
	telemetry string // URL
	udp       string
	backend   string // address of its OTLP backend
}

const faster = `
receivers: {metricsudp: {aggregation_interval: 1s}}
processors: {cardinalitylimit: {reaggregate: {flush_interval: 1s}}}
exporters: {fallbacklog: {circuit_breaker: {open_interval: 1s, max_open_interval: 1s}}}
`

func newGateway(t testing.TB, overlays ...string) *gateway {
	t.Helper()
	a := addresses(t, 9)
	g := &gateway{
		page: "http://" + a[0], probes: "http://" + a[1], telemetry: "http://" + a[2] + "/metrics", udp: a[3], backend: a[4],
	}
	_, port, err := net.SplitHostPort(a[2])
	require.NoError(t, err)
	g.env = map[string]string{
		"GATEWAYPAGE_ENDPOINT": a[0], "PROBES_ENDPOINT": a[1], "TELEMETRY_PORT": port, "METRICSUDP_ENDPOINT": a[3], "OTLP_ENDPOINT": a[4],
		"OTLP_GRPC_ENDPOINT": a[5], "OTLP_HTTP_ENDPOINT": a[6], "PROMETHEUS_ENDPOINT": a[7], "HEALTH_CHECK_ENDPOINT": a[8],
		"FALLBACKLOG_DIRECTORY": t.TempDir(),
	}
	g.configs = []string{"configs/quickstart.yaml"}
	for _, overlay := range append([]string{faster}, overlays...) {
		g.configs = append(g.configs, write(t, overlay))
	}
	return g
}

func (g *gateway) start(t testing.TB) *gateway {
	t.Helper()
	g.process = start(t, g.env, g.configs...)
	eventually(t, "the gateway is ready", func() bool { return status(g.probes+"/readyz") == http.StatusOK })
	return g
}

// startBackend runs an OTLP backend that accepts everything.
func startBackend(t testing.TB, address string) *process {
	t.Helper()
	p := start(t, nil, write(t, fmt.Sprintf(`
receivers: {otlp: {protocols: {http: {endpoint: %q}}}}
exporters: {nop: }
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [otlp], exporters: [nop]}
    traces: {receivers: [otlp], exporters: [nop]}
    logs: {receivers: [otlp], exporters: [nop]}
`, address)))
	eventually(t, "the backend listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return p
}

func write(t testing.TB, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// addresses are free ones on loopback.
func addresses(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close() // after the last one is chosen, so that all differ
		out = append(out, l.Addr().String())
	}
	return out
}

// send writes lines to the gateway, one per datagram.
func (g *gateway) send(t testing.TB, lines ...string) {
	t.Helper()
	require.NoError(t, g.sendSlowly(lines...))
}

// sendSlowly makes a pause after each 50 datagrams: the socket's buffer is for bursts of a real network.
func (g *gateway) sendSlowly(lines ...string) error {
	conn, err := net.Dial("udp", g.udp)
	if err != nil {
		return err
	}
	defer conn.Close()
	for i, line := range lines {
		if _, err := conn.Write([]byte(line)); err != nil {
			return err
		}
		if i%50 == 49 {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

func status(url string) int {
	response, err := http.Get(url) //nolint:gosec,noctx // an address of this test
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func get(t testing.TB, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", content)
	return string(content)
}

// own is the sum of the series of one of the gateway's own metrics, by the beginning of their lines.
func (g *gateway) own(t testing.TB, prefix string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(get(t, g.telemetry)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
			value, err := strconv.ParseFloat(rest[strings.LastIndex(rest, " ")+1:], 64)
			require.NoError(t, err, line)
			sum += value
		}
	}
	return sum
}

// eventually checks a condition every 100 ms until it is met, for a minute. The condition runs in the goroutine of the test, so it
// may use require.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !condition(); <-tick.C {
		require.True(t, time.Now().Before(deadline), "%s: not within a minute", what)
	}
}
