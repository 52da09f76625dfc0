package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// config names a file of the repository's configs folder.
func config(name string) string { return filepath.Join("..", "..", "configs", name) }

// gateway is one configuration with its own addresses. It can be started more than once.
type gateway struct {
	t       *testing.T
	binary  string
	configs []string
	env     map[string]string

	udp, grpc, http, page, health, telemetry, backend, log string

	cmd    *exec.Cmd
	exited chan struct{}
	output *syncBuffer
	group  *memoryGroup // that the process joins; may be nil
	// The time from the start of the process to the first 200 of its health check.
	readyAfter time.Duration
}

// newGateway prepares the configuration file with free addresses on loopback. Overlays are YAML texts, which are merged over it
// in order, as further --config arguments.
func newGateway(t *testing.T, file string, overlays ...string) *gateway {
	tcp := freeAddresses(t, 10)
	g := &gateway{
		t:         t,
		binary:    binary,
		configs:   []string{config(file)},
		udp:       freeUDPAddress(t),
		grpc:      tcp[0],
		http:      tcp[1],
		page:      tcp[2],
		health:    tcp[3],
		telemetry: tcp[4],
		backend:   tcp[5],
		log:       filepath.Join(t.TempDir(), "fallbacklog"),
	}
	host, port, err := net.SplitHostPort(g.telemetry)
	require.NoError(t, err)
	g.env = map[string]string{
		"METRICSUDP_ENDPOINT":   g.udp,
		"OTLP_GRPC_ENDPOINT":    g.grpc,
		"OTLP_HTTP_ENDPOINT":    g.http,
		"PROMETHEUS_ENDPOINT":   g.page,
		"HEALTH_CHECK_ENDPOINT": g.health,
		"PPROF_ENDPOINT":        tcp[6],
		"ZPAGES_ENDPOINT":       tcp[7],
		"GATEWAYPAGE_ENDPOINT":  tcp[8],
		"PROBES_ENDPOINT":       tcp[9],
		"TELEMETRY_HOST":        host,
		"TELEMETRY_PORT":        port,
		"OTLP_ENDPOINT":         g.backend,
		"FALLBACKLOG_DIRECTORY": g.log,

		"FILE_STORAGE_DIRECTORY": filepath.Join(t.TempDir(), "queue"),
	}
	for _, text := range overlays {
		g.withOverlay(text)
	}
	return g
}

// command returns the command of the binary, with the gateway's environment.
func (g *gateway) command(args ...string) *exec.Cmd {
	for _, c := range g.configs {
		args = append(args, "--config", c)
	}
	cmd := exec.Command(g.binary, args...)
	cmd.Env = os.Environ()
	for k, v := range g.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

// start starts the gateway and waits until its health check answers. At the end of the test a process that still runs is
// killed.
func (g *gateway) start() {
	g.t.Helper()
	g.awaitReady(g.launch())
}

// launch starts the gateway's process.
func (g *gateway) launch() (began time.Time) {
	g.t.Helper()
	g.output = &syncBuffer{}
	g.cmd = g.command()
	// SIGINT is ignored from the start, so the kernel shows when the Collector begins to handle signals. It does so after it is
	// ready. A SIGTERM before that would end the process without a shutdown.
	script := `trap "" INT; exec "$0" "$@"`
	if g.group != nil {
		script = "echo $$ > " + filepath.Join(g.group.path, "cgroup.procs") + "; " + script
	}
	g.cmd.Args = append([]string{"sh", "-c", script}, g.cmd.Args...)
	g.cmd.Path = "/bin/sh"
	g.cmd.Stdout, g.cmd.Stderr = g.output, g.output
	began = time.Now()
	require.NoError(g.t, g.cmd.Start())
	g.exited = make(chan struct{})
	cmd, exited := g.cmd, g.exited
	go func() {
		_ = cmd.Wait() // the exit code is read from ProcessState
		close(exited)
	}()
	output := g.output
	g.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if g.t.Failed() {
			g.t.Logf("a gateway's output, last part:\n%s", output.tail(8000))
		}
	})
	return began
}

// awaitReady waits until the health check of a launched gateway answers.
func (g *gateway) awaitReady(began time.Time) {
	g.t.Helper()
	ready := time.NewTicker(5 * time.Millisecond)
	defer ready.Stop()
	for deadline := began.Add(patience); time.Now().Before(deadline); <-ready.C {
		select {
		case <-g.exited:
			g.t.Fatalf("the gateway ended while starting:\n%s", g.output.tail(8000))
		default:
		}
		response, err := http.Get("http://" + g.health)
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			g.readyAfter = time.Since(began)
			eventually(g.t, "the gateway takes signals", g.takesSignals)
			return
		}
	}
	g.t.Fatal("the gateway did not get ready")
}

// stop sends SIGTERM and waits for a clean exit.
func (g *gateway) stop() {
	g.t.Helper()
	require.NoError(g.t, g.cmd.Process.Signal(syscall.SIGTERM))
	g.wait()
	require.Zero(g.t, g.cmd.ProcessState.ExitCode(), "exit code after SIGTERM")
}

// kill sends SIGKILL and waits for the end.
func (g *gateway) kill() {
	g.t.Helper()
	require.NoError(g.t, g.cmd.Process.Kill())
	g.wait()
}

func (g *gateway) wait() {
	g.t.Helper()
	select {
	case <-g.exited:
	case <-time.After(patience):
		g.t.Fatal("the gateway did not end")
	}
}

// withOverlay merges another configuration over the gateway's own.
func (g *gateway) withOverlay(text string) {
	path := filepath.Join(g.t.TempDir(), "overlay.yaml")
	require.NoError(g.t, os.WriteFile(path, []byte(text), 0o600))
	g.configs = append(g.configs, path)
}

// sendDatagram sends one payload to the UDP receiver.
func (g *gateway) sendDatagram(t *testing.T, payload string) {
	t.Helper()
	sendUDP(t, g.udp, payload)
}

func sendUDP(t *testing.T, address, payload string) { sendUDPFrom(t, "", address, payload) }

// sendUDPFrom sends from a local address, or from any if it is empty.
func sendUDPFrom(t *testing.T, local, address, payload string) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(local)}}
	conn, err := d.DialContext(t.Context(), "udp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte(payload))
	require.NoError(t, err)
}
