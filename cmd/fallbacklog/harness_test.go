package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// asCommand is the environment variable that makes the test binary run the command.
const asCommand = "FALLBACKLOG_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// result is the result of a run of the command.
type result struct {
	code           int
	stdout, stderr string
}

func process(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// runTool runs the command as a process.
func runTool(t *testing.T, args ...string) result {
	t.Helper()
	cmd := process(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); !exited { //nolint:errorlint // os/exec does not wrap it
		require.NoError(t, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// done runs the command, requires the exit code 0, and returns its standard output.
func done(t *testing.T, args ...string) string {
	t.Helper()
	r := runTool(t, args...)
	require.Equal(t, exitDone, r.code, "%v: %s%s", args, r.stdout, r.stderr)
	return r.stdout
}

// gateway runs the component for logs and metrics like a Collector.
type gateway struct {
	t       *testing.T
	logs    exporter.Logs
	metrics exporter.Metrics
}

// sinkFactory makes a wrapped exporter that calls answer for a batch of logs and accepts all other data.
func sinkFactory(answer func(plog.Logs) error) exporter.Factory {
	return exporter.NewFactory(component.MustNewType("sink"), func() component.Config { return &struct{}{} },
		exporter.WithLogs(func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) {
			return sink{answer: answer}, nil
		}, component.StabilityLevelAlpha),
		exporter.WithMetrics(func(context.Context, exporter.Settings, component.Config) (exporter.Metrics, error) {
			return sink{}, nil
		}, component.StabilityLevelAlpha))
}

type sink struct {
	component.StartFunc
	component.ShutdownFunc
	answer func(plog.Logs) error
}

func (sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s sink) ConsumeLogs(_ context.Context, ld plog.Logs) error     { return s.answer(ld) }
func (s sink) ConsumeMetrics(context.Context, pmetric.Metrics) error { return nil }

// host has the factory of the sink.
type host struct {
	component.Host
	sink exporter.Factory
}

func (h host) GetFactory(component.Kind, component.Type) component.Factory { return h.sink }

// startGateway runs the component on dir until stop. If answer is nil, it has no wrapped exporter and only writes the log.
func startGateway(t *testing.T, dir string, answer func(plog.Logs) error) *gateway {
	t.Helper()
	return startWithFormat(t, dir, "otlp_json", answer)
}

func startWithFormat(t *testing.T, dir, format string, answer func(plog.Logs) error) *gateway {
	t.Helper()
	return startWith(t, dir, map[string]any{"log": map[string]any{"format": format}}, answer)
}

func startWith(t *testing.T, dir string, more map[string]any, answer func(plog.Logs) error) *gateway {
	t.Helper()
	f := fallbacklog.NewFactory()
	cfg := f.CreateDefaultConfig()
	settings := map[string]any{"log": map[string]any{
		"directory": dir, "min_free_disk_mib": 0, "max_segment_size_mib": 1, "max_disk_mib": 64,
	}}
	if answer != nil {
		settings["exporter"] = map[string]any{"sink": map[string]any{}}
	}
	conf := confmap.NewFromStringMap(settings)
	require.NoError(t, conf.Merge(confmap.NewFromStringMap(more)))
	require.NoError(t, conf.Unmarshal(cfg))
	set := exportertest.NewNopSettings(f.Type())
	set.ID = component.NewIDWithName(f.Type(), "eu")
	h := host{componenttest.NewNopHost(), sinkFactory(answer)}
	g := &gateway{t: t}
	var err error
	g.logs, err = f.CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	g.metrics, err = f.CreateMetrics(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, g.logs.Start(t.Context(), h))
	require.NoError(t, g.metrics.Start(t.Context(), h))
	return g
}

func (g *gateway) stop() {
	g.t.Helper()
	require.NoError(g.t, g.logs.Shutdown(context.Background()))
	require.NoError(g.t, g.metrics.Shutdown(context.Background()))
}

// sendLogs sends n batches of two log records, named <name>-<batch>/0 and /1.
func (g *gateway) sendLogs(name string, n int) {
	g.t.Helper()
	for i := range n {
		ld := plog.NewLogs()
		records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		for k := range 2 {
			records.AppendEmpty().Body().SetStr(fmt.Sprintf("%s-%d/%d", name, i, k))
		}
		require.NoError(g.t, g.logs.ConsumeLogs(g.t.Context(), ld))
	}
}

func (g *gateway) sendMetric(name string) {
	g.t.Helper()
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	require.NoError(g.t, g.metrics.ConsumeMetrics(g.t.Context(), md))
}

func refuse(plog.Logs) error {
	return consumererror.NewPermanent(status.Error(codes.InvalidArgument, "by the test"))
}

// written returns a directory with five batches of logs, one of metrics, and two in the dead letter of the logs.
func written(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	g := startGateway(t, dir, refuse)
	g.sendLogs("dead", 2)
	g.stop()
	g = startGateway(t, dir, nil)
	g.sendLogs("log", 5)
	g.sendMetric("m")
	g.stop()
	return dir
}

// segments returns the segment files of a log.
func segments(t *testing.T, dir string, log ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(append(append([]string{dir, "fallbacklog%2Feu"}, log...), "0*-*")...))
	require.NoError(t, err)
	return files
}

// server is an OTLP server that records the names of accepted data in order.
type server struct {
	grpc, http string // endpoints

	mu       sync.Mutex
	answer   func(ctx context.Context, name string) error // nil accepts all data
	accepted []string
	tenants  []string // the header X-Tenant of each request
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	o := otlptest.Start(t, s.receive, otlptest.Options{})
	s.grpc, s.http = "grpc://"+o.Addr, o.URL()
	return s
}

func (s *server) set(answer func(ctx context.Context, name string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.accepted...)
}

func (s *server) receive(ctx context.Context, r otlptest.Request) error {
	names := r.Names()
	s.mu.Lock()
	answer := s.answer
	s.tenants = append(s.tenants, r.Header.Get("X-Tenant"))
	s.mu.Unlock()
	if answer != nil {
		if err := answer(ctx, names[0]); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = append(s.accepted, names...)
	return nil
}

// catNames returns the names of the log records that cat prints.
func catNames(t *testing.T, args ...string) (names []string) {
	t.Helper()
	for line := range strings.Lines(done(t, append([]string{"cat", "-signal", "logs"}, args...)...)) {
		ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs([]byte(line))
		require.NoError(t, err)
		names = append(names, otlptest.LogBodies(ld)...)
	}
	return names
}

// tree returns the modification time and content of every file below a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.Walk(dir, func(path string, fi os.FileInfo, err error) error {
		if err != nil || fi.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = fi.ModTime().Format(time.RFC3339Nano) + string(content)
		return err
	}))
	return files
}
