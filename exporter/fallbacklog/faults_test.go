package fallbacklog

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// badFS fails one operation until a test changes that.
type badFS struct {
	segment.OS
	mu    sync.Mutex
	op    string // "": none
	cause error
}

func (f *badFS) fail(op string, cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.op, f.cause = op, cause
}

func (f *badFS) check(op string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.op == op {
		return f.cause
	}
	return nil
}

func (f *badFS) OpenFile(name string, flag int, perm fs.FileMode) (segment.File, error) {
	if flag&os.O_CREATE != 0 {
		if err := f.check("create"); err != nil {
			return nil, err
		}
	}
	file, err := f.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &badFile{file, f}, nil
}

type badFile struct {
	segment.File
	fs *badFS
}

func (f *badFile) Write(p []byte) (int, error) {
	if err := f.fs.check("write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *badFile) Sync() error {
	if err := f.fs.check("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

// startLogs starts a component with only the logs signal. A test can change its core before.
func startLogs(t *testing.T, cfg *Config, change func(*core)) exporter.Logs {
	t.Helper()
	return startLogsOn(t, newTestHost(), cfg, change)
}

func startLogsOn(t *testing.T, host *testHost, cfg *Config, change func(*core)) exporter.Logs {
	t.Helper()
	f := NewFactory()
	e, err := f.CreateLogs(context.Background(), exporterSettings(t, f), cfg)
	require.NoError(t, err)
	change(e.(logsExporter).core)
	require.NoError(t, e.Start(context.Background(), host))
	return e
}

// If the disk fails during an outage the caller gets a retryable error. Data that was acknowledged before and after is
// delivered.
func TestDiskThatFailsUnderWay(t *testing.T) {
	for _, tc := range []struct {
		op    string
		cause error
	}{
		{"write", syscall.ENOSPC},
		{"write", syscall.EIO},
		{"sync", syscall.EIO},
		{"sync", syscall.ENOSPC},
		{"create", syscall.EROFS},
		{"create", syscall.ENOSPC},
		{"create", syscall.EACCES},
		{"create", syscall.EMFILE},
	} {
		t.Run(tc.op+" "+tc.cause.Error(), func(t *testing.T) {
			b := newBackend(t)
			b.refuse(codes.Unavailable)
			disk := &badFS{}
			e := startLogs(t, loadConfig(t, testSettings(t.TempDir()), grpcTo(b), map[string]any{
				"replay": map[string]any{"enabled": false},
			}), func(c *core) { c.fs = disk })
			send := func(name string) error { return e.ConsumeLogs(context.Background(), makeLogs(name, 1)) }
			if tc.op != "create" {
				require.NoError(t, send("before"))
			}
			disk.fail(tc.op, tc.cause)
			for range 3 {
				err := send("refused")
				require.ErrorIs(t, err, tc.cause)
				assert.False(t, consumererror.IsPermanent(err), "the caller may try again")
			}
			disk.fail("", nil)
			require.NoError(t, send("after"))
			cfg := e.(logsExporter).core.cfg
			require.NoError(t, e.Shutdown(context.Background()))

			b.set(nil)
			again := *cfg
			again.Replay.Enabled = true
			e = startLogs(t, &again, func(*core) {})
			defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
			eventually(t, func() bool {
				got := b.names()
				return got["after/0"] > 0 && (tc.op == "create" || got["before/0"] > 0)
			}, "what was acknowledged arrives")
		})
	}
}

// If the clock jumps between two runs no record is lost and none is kept for ever: records with future times are delivered, and
// records that are too old expire and are counted.
func TestClockJumps(t *testing.T) {
	for name, tc := range map[string]struct {
		ahead   time.Duration // of the clock while the records are written
		expired bool
	}{
		"back": {ahead: 24 * time.Hour}, "forward": {ahead: -24 * time.Hour, expired: true}, "none": {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			then := func() time.Time { return time.Now().Add(tc.ahead) }
			log, err := segment.Open(segment.Options{
				Dir: filepath.Join(dir, "fallbacklog", "logs"), Kind: segment.Kind{Extension: ".jsonl", Format: record.Lines{}},
				Budget: &segment.Budget{Max: 1 << 30}, MaxSegmentBytes: 1 << 20, Now: then,
			})
			require.NoError(t, err)
			const n = 5
			for i := range n {
				payload, err := logs.json.marshal(makeLogs(fmt.Sprint(i), 1))
				require.NoError(t, err)
				line, err := record.Lines{}.Append(nil, payload, record.Meta{Time: then(), Signal: "logs", Reason: "breaker_open", Items: 1})
				require.NoError(t, err)
				require.NoError(t, log.Append(line))
			}
			require.NoError(t, log.Close())

			b := newBackend(t)
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), map[string]any{
				"log": map[string]any{"max_age": "1h"},
			}))
			eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log is dealt with")
			want := map[bool][2]int{true: {n, 0}, false: {0, n}}[tc.expired]
			assert.Equal(t, want, [2]int{int(g.sum("expired_items")), len(b.names())})
		})
	}
}

// A second process gets a clear error while the first one runs, however the first one ends.
func TestSecondProcessIsKeptOut(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	dir := t.TempDir()
	cmd, lines := startHelperProcess(t, dir, b)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "acked ") {
		continue
	}
	_, err := tryGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b)))
	require.ErrorIs(t, err, segment.ErrInUse)
	require.NoError(t, cmd.Process.Kill())
	for lines.Scan() { // Wait must come after the last line
		continue
	}
	require.Error(t, cmd.Wait())
	startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b)))
}

// moody is an OTLP downstream that accepts, rejects in part, refuses, throttles, fails, resets and hangs, in a random order
// from a seed.
type moody struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	calm bool
	took map[string]int // by item
	part int            // items rejected by partial success
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req := plogotlp.NewExportRequest()
	if req.UnmarshalProto(body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	names := otlptest.LogBodies(req.Logs())
	m.mu.Lock()
	mood := m.rnd.IntN(8)
	if m.calm {
		mood = 0
	}
	refused := slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "bad") })
	if mood <= 2 && !refused {
		for _, n := range names {
			m.took[n]++
		}
		if mood == 2 {
			m.part++
		}
	}
	m.mu.Unlock()
	switch {
	case mood <= 2 && refused:
		w.WriteHeader(http.StatusBadRequest)
	case mood == 2:
		resp := plogotlp.NewExportResponse()
		resp.PartialSuccess().SetRejectedLogRecords(1)
		answer, _ := resp.MarshalProto()
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	case mood == 3:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case mood == 4:
		w.WriteHeader(http.StatusServiceUnavailable)
	case mood == 5:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	case mood == 6:
		<-r.Context().Done() // hangs
	case mood == 7:
		w.WriteHeader(http.StatusBadGateway)
	}
}

// After any answers of a flapping downstream no acknowledged item is missing, refused items are in the dead letter, items
// rejected by partial success are counted, and the ledger balances.
func TestFlappingDownstream(t *testing.T) {
	m := &moody{rnd: rand.New(rand.NewPCG(7, 11)), took: map[string]int{}}
	web := httptest.NewServer(m)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	dir := t.TempDir()
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), httpTo(&backend{httpURL: web.URL}),
		map[string]any{"timeout": "50ms", "budget": "200ms", "circuit_breaker": map[string]any{"open_interval": "10ms"}}))
	const batches, items = 60, 3
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range batches {
				name := fmt.Sprintf("good/%d/%d", w, i)
				if i == 7 { // four in all: a fifth consecutive refusal would make the signal wait
					name = fmt.Sprintf("bad/%d/%d", w, i)
				}
				assert.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs(name, items)))
			}
		})
	}
	wg.Wait()
	eventually(t, func() bool {
		return g.sum("dropped_items", "reason", "partial_success") > 0 || g.sum("bytes_on_disk") == 0
	}, "")
	m.mu.Lock()
	m.calm = true
	m.mu.Unlock()
	eventually(t, func() bool { return g.sum("bytes_on_disk", "signal", "logs") == 0 }, "the log drains")
	for _, c := range []interface{ Shutdown(context.Context) error }{g.traces, g.metrics, g.logs} {
		require.NoError(t, c.Shutdown(context.Background()))
	}
	l := g.balance()
	_, lines := onDisk(t, dir, "logs", true)
	deadLettered := map[string]bool{}
	for _, line := range lines {
		ld, err := logs.json.unmarshal(line)
		require.NoError(t, err)
		for _, name := range otlptest.LogBodies(ld) {
			deadLettered[name] = true
		}
	}
	for w := range 4 {
		for i := range batches {
			for j := range items {
				if name := fmt.Sprintf("good/%d/%d/%d", w, i, j); i != 7 {
					assert.True(t, m.took[name] > 0 || deadLettered[name], name) // deadLettered: failed three times while others passed
				} else {
					assert.True(t, deadLettered[fmt.Sprintf("bad/%d/%d/%d", w, i, j)])
				}
			}
		}
	}
	assert.Equal(t, l.received, l.delivered+l.dead+l.dropped, "%+v", l)
	assert.LessOrEqual(t, l.dropped, int64(m.part), "fewer where the answer came too late to be heard")
}
