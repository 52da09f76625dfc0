package fallbacklog

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// send sends one batch of n items per signal to the gateway and requires that all are acknowledged.
func (g *gateway) send(name string, n int) {
	g.t.Helper()
	ctx := context.Background()
	require.NoError(g.t, g.traces.ConsumeTraces(ctx, makeTraces("t/"+name, n)))
	require.NoError(g.t, g.metrics.ConsumeMetrics(ctx, makeMetrics("m/"+name, n)))
	require.NoError(g.t, g.logs.ConsumeLogs(ctx, makeLogs("l/"+name, n)))
}

// The test covers a healthy, refusing, hanging and recovered downstream for each transport.
func TestOutageDeliversEverything(t *testing.T) {
	for name, to := range map[string]func(*backend) map[string]any{"otlp_grpc": grpcTo, "otlp_http": httpTo} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			host := newTestHost()
			dir := t.TempDir()
			cfg := loadConfig(t, testSettings(dir), to(b), map[string]any{"timeout": "300ms"})
			g := startGateway(t, host, cfg)

			const n = 7
			g.send("healthy", n)
			assert.Len(t, b.names(), 3*n)
			items, _ := onDisk(t, dir, "metrics", false)
			require.Zero(t, items, "a healthy batch touches no disk")
			require.Zero(t, g.sum("breaker_state"))

			b.refuse(codes.Unavailable)
			for i := range 5 {
				g.send(fmt.Sprintf("refused%d", i), n)
			}
			eventually(t, func() bool { return g.sum("breaker_transitions", "to", "open") > 0 }, "the breaker opens")
			assert.Len(t, b.names(), 3*n, "nothing new has arrived")

			b.set(nil)
			b.holdAnswers()
			g.send("hanging", n)
			// Every record on disk is OTLP JSON.
			items = 0
			for _, signal := range []string{"traces", "metrics", "logs"} {
				i, lines := onDisk(t, dir, signal, false)
				items += i
				for _, line := range lines {
					switch signal {
					case "traces":
						td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
						require.NoError(t, err)
						assert.Equal(t, n, td.SpanCount())
					case "metrics":
						md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
						require.NoError(t, err)
						assert.Equal(t, n, md.DataPointCount())
					default:
						ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
						require.NoError(t, err)
						assert.Equal(t, n, ld.LogRecordCount())
					}
				}
			}
			assert.Equal(t, 3*n*6, items, "all that was acknowledged and not delivered")
			assert.Empty(t, host.seen(), "falling back with room in the log is no error")

			b.release()
			eventually(t, func() bool { return len(b.names()) == 3*n*7 }, "everything arrives")
			eventually(t, func() bool { return g.sum("breaker_state") == 0 }, "the breaker closes")
			eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log is empty")
			assert.EqualValues(t, 3*n*7, g.sum("received_items"))
			assert.EqualValues(t, 3*n*6, g.sum("delivered_items", "path", "replayed"))
			assert.EqualValues(t, 3*n, g.sum("delivered_items", "path", "direct"))
			assert.EqualValues(t, 3*n*6, g.sum("logged_items"))
		})
	}
}

func TestRestartReplaysTheBacklog(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.Unavailable)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b)))
	for i := range 20 {
		g.send(fmt.Sprint(i), 3)
	}
	g.stop()
	items, _ := onDisk(t, dir, "traces", false)
	assert.Equal(t, 20*3, items)
	assert.Empty(t, b.names())

	b.set(nil)
	g = startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b)))
	eventually(t, func() bool { return len(b.names()) == 3*20*3 }, "the backlog arrives")
	eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log is empty")
	for name, n := range b.names() {
		assert.Equal(t, 1, n, "%s arrived more than once though nothing crashed", name)
	}
}

// The format changes between runs, twice. The records of all formats are delivered once.
func TestFormatMayChange(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.Unavailable)
	for run, format := range []string{"otlp_json", "otlp_proto", "otlp_json"} {
		in := map[string]any{"log": map[string]any{"format": format}}
		g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), in))
		g.send(fmt.Sprint(run), 3)
		g.stop()
	}
	lines, err := filepath.Glob(filepath.Join(dir, "fallbacklog", "*", "*.jsonl"))
	require.NoError(t, err)
	assert.Len(t, lines, 3*2)
	frames, err := filepath.Glob(filepath.Join(dir, "fallbacklog", "*", "*.otlp"))
	require.NoError(t, err)
	assert.Len(t, frames, 3)

	b.set(nil)
	in := map[string]any{"log": map[string]any{"format": "otlp_proto"}}
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), in))
	eventually(t, func() bool { return len(b.names()) == 3*3*3 }, "everything arrives")
	eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log is empty")
	for name, n := range b.names() {
		assert.Equal(t, 1, n, name)
	}
}

// A copy of the directory in the middle of an outage, without a shutdown, is what a crash leaves.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b)))
	g.send("first", 5)
	g.send("second", 5)
	after := copyTree(t, g.dir)
	g.stop()

	b.set(nil)
	startGateway(t, newTestHost(), loadConfig(t, testSettings(after), grpcTo(b)))
	eventually(t, func() bool { return len(b.names()) == 3*10 }, "everything acknowledged arrives")
}

// A process is killed with SIGKILL in the middle of an outage, while it appends. See TestHelperProcess.
func TestKilledProcessKeepsWhatItAcknowledged(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	dir := t.TempDir()
	cmd, lines := startHelperProcess(t, dir, b)
	acked := map[string]bool{}
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "acked "); ok {
			acked[name] = true
		}
		if len(acked) == 200 {
			require.NoError(t, cmd.Process.Kill())
			break
		}
	}
	for lines.Scan() { // the lines it wrote before it was killed
		if name, ok := strings.CutPrefix(lines.Text(), "acked "); ok {
			acked[name] = true
		}
	}
	require.Error(t, cmd.Wait())
	require.GreaterOrEqual(t, len(acked), 200)

	b.set(nil)
	startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b)))
	eventually(t, func() bool {
		got := b.names()
		for name := range acked {
			if got[name+"/0"] == 0 {
				return false
			}
		}
		return true
	}, "everything acknowledged arrives")
}

// startHelperProcess starts TestHelperProcess on a directory in another process, and returns it and the lines that it writes.
func startHelperProcess(t *testing.T, dir string, b *backend) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$")
	cmd.Env = append(os.Environ(), "FALLBACKLOG_HELPER="+dir, "FALLBACKLOG_ENDPOINT="+b.grpcAddr)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// TestHelperProcess is the process that other tests kill. It appends until then.
func TestHelperProcess(t *testing.T) {
	dir := os.Getenv("FALLBACKLOG_HELPER")
	if dir == "" {
		t.Skip("runs only as a helper of another test")
	}
	to := &backend{grpcAddr: os.Getenv("FALLBACKLOG_ENDPOINT")}
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(to)))
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("k/%d/%d", w, i)
				if g.logs.ConsumeLogs(context.Background(), makeLogs(name, 1)) == nil {
					_, _ = fmt.Fprintln(os.Stdout, "acked", name)
				}
			}
		}()
	}
	select {}
}

func TestDirectoryHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	first := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir)))
	_, err := tryGateway(t, newTestHost(), loadConfig(t, testSettings(dir)))
	require.ErrorIs(t, err, segment.ErrInUse)
	require.ErrorContains(t, err, "log::directory")
	first.stop()
	startGateway(t, newTestHost(), loadConfig(t, testSettings(dir)))
}

func TestShutdownInAnOutage(t *testing.T) {
	for _, hanging := range []bool{false, true} {
		t.Run(fmt.Sprintf("hanging=%v", hanging), func(t *testing.T) {
			b := newBackend(t)
			dir := t.TempDir()
			slow := map[string]any{"timeout": "1m", "budget": "1m", "retry_on_failure": map[string]any{
				"max_attempts": 100, "initial_interval": "1m", "max_interval": "1m",
			}, "circuit_breaker": map[string]any{"failure_threshold": 1000}}
			b.refuse(codes.Unavailable)
			if hanging {
				b.holdAnswers()
			}
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), slow))
			var wg sync.WaitGroup
			for i := range 5 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					assert.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs(fmt.Sprint(i), 2)))
				}()
			}
			eventually(t, func() bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				return b.calls >= 5
			}, "all are on their way")
			g.stop()
			wg.Wait()
			items, _ := onDisk(t, dir, "logs", false)
			assert.Equal(t, 10, items, "what was in flight is in the log")
			require.ErrorIs(t, g.logs.ConsumeLogs(context.Background(), makeLogs("late", 1)), delivery.ErrShutdown)
		})
	}
}

func TestLogOnly(t *testing.T) {
	dir := t.TempDir()
	host := newTestHost()
	g := startGateway(t, host, loadConfig(t, testSettings(dir)))
	g.send("x", 4)
	g.stop()
	for _, signal := range []string{"traces", "metrics", "logs"} {
		items, _ := onDisk(t, dir, signal, false)
		assert.Equal(t, 4, items)
	}
	assert.Empty(t, host.seen(), "nothing is wrong")
}
