package fallbacklog

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
)

func logSettings(settings map[string]any) map[string]any { return map[string]any{"log": settings} }

func withKey(key string) map[string]any {
	return map[string]any{"encryption": map[string]any{"key": key}}
}

// matching returns the files below a directory of the test whose name ends so.
func matching(t testing.TB, dir, suffix string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		if ok, _ := filepath.Match("*"+suffix, filepath.Base(name)); ok {
			names = append(names, name)
		}
		return err
	}))
	return names
}

// Every format is written in one directory, over restarts, in an outage: lines and frames, compressed and not, encrypted
// and not. All of it is delivered, once.
func TestFormatsMixed(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.Unavailable)
	runs := []map[string]any{
		logSettings(map[string]any{"format": "otlp_json"}),
		logSettings(map[string]any{"format": "otlp_json", "compression": "zstd"}),
		logSettings(map[string]any{"format": "otlp_proto"}),
		logSettings(map[string]any{"format": "otlp_proto", "compression": "zstd"}),
		{"log": map[string]any{"format": "otlp_proto"}, "encryption": map[string]any{"key": keyA}},
		{"log": map[string]any{"format": "otlp_proto", "compression": "zstd"}, "encryption": map[string]any{"key": keyA}},
	}
	const n = 40
	for run, settings := range runs {
		g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), settings))
		g.send(fmt.Sprint(run), n)
		if run == 3 {
			eventually(t, func() bool { return len(matching(t, dir, ".jsonl")) == 0 }, "the lines of earlier runs are compressed")
		}
		g.stop()
	}
	assert.Len(t, matching(t, dir, ".jsonl.zst"), 2*3)
	assert.Len(t, matching(t, dir, ".otlp"), 4*3)

	b.set(nil)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b),
		logSettings(map[string]any{"format": "otlp_proto", "compression": "none"}), withKey(keyA)))
	eventually(t, func() bool { return len(b.names()) == len(runs)*n*3 }, "everything arrives")
	eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log is empty")
	for name, times := range b.names() {
		assert.Equal(t, 1, times, name)
	}
	assert.Empty(t, matching(t, dir, ".otlp"))
	assert.Empty(t, matching(t, dir, ".zst"))
	assert.Zero(t, g.sum("corrupt_bytes"))
}

// In an outage the log is compressed as it grows, takes a fraction of the disk, and any zstd tool and any reader of OTLP
// JSON read it.
func TestCompressedOutage(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.Unavailable)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), logSettings(map[string]any{"compression": "zstd"})))
	const batches, spans = 30, 2000
	for k := range batches {
		require.NoError(t, g.traces.ConsumeTraces(t.Context(), makeTraces(fmt.Sprint("batch-", k), spans)))
	}
	eventually(t, func() bool { return len(matching(t, dir, ".jsonl")) <= 1 }, "all that is sealed is compressed")
	logged, onDisk := g.sum("logged_bytes"), g.sum("bytes_on_disk")
	assert.Less(t, onDisk, logged, "%d of %d bytes", onDisk, logged)
	packed := matching(t, dir, ".jsonl.zst")
	require.NotEmpty(t, packed)
	seen := 0
	for _, name := range packed {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		d, err := zstd.NewReader(bytes.NewReader(data))
		require.NoError(t, err)
		lines, err := io.ReadAll(d)
		require.NoError(t, err)
		d.Close()
		for line := range bytes.Lines(lines) {
			td, err := traces.json.unmarshal(line)
			require.NoError(t, err)
			seen += td.SpanCount()
		}
	}
	assert.GreaterOrEqual(t, seen, spans)
	b.set(nil)
	eventually(t, func() bool { return len(b.names()) == batches*spans }, "everything arrives")
	eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log is empty")
	for name, times := range b.names() {
		require.Equal(t, 1, times, name)
	}
	assert.Zero(t, g.sum("errors", "error_type=compression"))
}

// The dead letter is compressed as the log is.
func TestCompressedDeadLetter(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.InvalidArgument)
	cfg := loadConfig(t, testSettings(dir), grpcTo(b), logSettings(map[string]any{"compression": "zstd"}))
	g := startGateway(t, newTestHost(), cfg)
	require.NoError(t, g.traces.ConsumeTraces(t.Context(), makeTraces("refused", 500)))
	g.stop()
	startGateway(t, newTestHost(), cfg)
	eventually(t, func() bool {
		return len(matching(t, filepath.Join(dir, "fallbacklog", "traces", "dead-letter"), ".jsonl.zst")) == 1
	}, "")
}
