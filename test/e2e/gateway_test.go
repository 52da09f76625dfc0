package e2e

import (
	"bytes"
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
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// Asynchronous edges (processes, sockets) have this time; a healthy run needs a fraction of it.
const patience = 60 * time.Second

// pollEvery is the period of checks at asynchronous edges.
const pollEvery = 50 * time.Millisecond

// buildTags are the build tags of builder-config.yaml, for a binary that the tests build.
const buildTags = "grpcnotrace,remove_all_sd,enable_kubernetes_sd"

var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m)) //nolint:forbidigo // TestMain is main
}

func run(m *testing.M) int {
	binary = os.Getenv("OTELCOL_CUSTOM")
	if binary == "" {
		dir, err := os.MkdirTemp("", "otelcol-custom")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "otelcol-custom")
		build := exec.Command("go", "build", "-tags", buildTags, "-trimpath", "-ldflags", "-s -w", "-o", binary, "../../cmd/otelcol-custom")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build the gateway:", err)
			return 1
		}
	}
	return m.Run()
}

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

// status returns a number of the process's status file: proc(5).
func (g *gateway) status(field string, base int) uint64 {
	g.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	require.NoError(g.t, err)
	_, after, found := strings.Cut(string(status), field+":")
	require.True(g.t, found, field)
	value, err := strconv.ParseUint(strings.Fields(after)[0], base, 64)
	require.NoError(g.t, err)
	return value
}

// peakRSS returns the greatest resident memory that the process has had, in bytes.
func (g *gateway) peakRSS() int64 { return int64(g.status("VmHWM", 10)) << 10 }

// takesSignals reports whether the process has a handler for SIGINT: SigCgt has one bit per signal.
func (g *gateway) takesSignals() bool {
	g.t.Helper()
	caught := g.status("SigCgt", 16)
	return caught&(1<<(syscall.SIGINT-1)) != 0
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

// eventually waits for a condition at an asynchronous edge. It runs in the goroutine of the test, so the condition may use
// require.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-tick.C {
		require.True(t, time.Now().Before(deadline), "not within %v: %s", patience, what)
	}
}

// usage is the CPU time and memory that the kernel has counted for a process.
type usage struct {
	cpu time.Duration // user and system
	rss int64         // bytes
}

// userHertz is the unit of times in proc(5). It is fixed in the kernel's interface on every platform that Go supports.
const userHertz = 100

func (g *gateway) usage() usage {
	g.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.cmd.Process.Pid))
	require.NoError(g.t, err)
	// proc(5): utime and stime are fields 14 and 15, rss is 24, counted from the pid. The command name in parentheses may
	// contain spaces.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	number := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-3], 10, 64)
		require.NoError(g.t, err)
		return n
	}
	return usage{
		cpu: time.Duration(number(14)+number(15)) * time.Second / userHertz,
		rss: number(24) * int64(os.Getpagesize()),
	}
}

// syncBuffer is a bytes.Buffer that a process may write while the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *syncBuffer) tail(n int) string {
	text := s.String()
	return text[max(0, len(text)-n):]
}

// withTimeout returns a context for one call that must not hang the test.
func withTimeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
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

func sendUDP(t *testing.T, address, payload string) {
	t.Helper()
	conn, err := net.Dial("udp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte(payload))
	require.NoError(t, err)
}
