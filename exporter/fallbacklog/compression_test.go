package fallbacklog

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

func logSettings(settings map[string]any) map[string]any { return map[string]any{"log": settings} }

func withKey(key string) map[string]any {
	return map[string]any{"encryption": map[string]any{"key": key}}
}

// matching returns the files below a directory of the test whose name ends with a suffix.
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

// Over several restarts in an outage every format is written to one directory: lines and frames, with and without compression
// and encryption. Everything is delivered once.
func TestFormatsMixed(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.Unavailable)
	runs := []map[string]any{
		logSettings(map[string]any{"format": "otlp_json"}),
		logSettings(map[string]any{"format": "otlp_proto"}),
		logSettings(map[string]any{"format": "otlp_proto", "compression": "zstd"}),
		{"log": map[string]any{"format": "otlp_proto"}, "encryption": map[string]any{"key": keyA}},
		{"log": map[string]any{"format": "otlp_proto", "compression": "zstd"}, "encryption": map[string]any{"key": keyA}},
	}
	const n = 40
	for run, settings := range runs {
		g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), settings))
		g.send(fmt.Sprint(run), n)
		g.stop()
	}
	assert.Len(t, matching(t, dir, ".jsonl"), 3)
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
	assert.Empty(t, matching(t, dir, ".jsonl"))
	assert.Zero(t, g.sum("corrupt_bytes"))
}

// Lines are not compressed any more.
func TestCompressionNeedsFrames(t *testing.T) {
	require.ErrorContains(t, validate(logSettings(map[string]any{"compression": "zstd"})),
		"log::format: must be otlp_proto with compression: zstd (got otlp_json)")
	require.NoError(t, validate(logSettings(map[string]any{"format": "otlp_proto", "compression": "zstd"})))
}

// An earlier version compressed sealed segments of lines. The start refuses to skip their records and names the command that
// decompresses them; afterwards the cursor of that version still fits. For those of a dead letter there is only a warning.
func TestSegmentsThatAnEarlierVersionCompressed(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.Unavailable)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b)))
	g.send("old", 10)
	g.stop()
	b.refuse(codes.InvalidArgument)
	lines := matching(t, filepath.Join(dir, "fallbacklog", "traces"), ".jsonl")
	require.Len(t, lines, 1)
	compress := func(path string) {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		e, err := zstd.NewWriter(nil)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+".zst", e.EncodeAll(data, nil), 0o600))
		require.NoError(t, os.Remove(path))
	}
	compress(lines[0])
	b.set(nil)
	cfg := loadConfig(t, testSettings(dir), grpcTo(b))
	e, err := NewFactory().CreateTraces(t.Context(), exporterSettings(t, NewFactory()), cfg)
	require.NoError(t, err)
	err = e.Start(t.Context(), newTestHost())
	require.ErrorIs(t, err, segment.ErrCompressed)
	require.ErrorContains(t, err, "`unzstd --rm '"+lines[0]+".zst'`")
	require.NoError(t, e.Shutdown(t.Context()))

	data, err := os.ReadFile(lines[0] + ".zst")
	require.NoError(t, err)
	d, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer d.Close()
	data, err = d.DecodeAll(data, nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(lines[0], data, 0o600))
	require.NoError(t, os.Remove(lines[0]+".zst"))
	dead := filepath.Join(dir, "fallbacklog", "traces", "dead-letter")
	require.NoError(t, os.WriteFile(filepath.Join(dead, "00000000000000000001-20260101T000000.000Z.jsonl.zst"), []byte("x"), 0o600))
	startGateway(t, newTestHost(), cfg)
	eventually(t, func() bool { return len(b.names()) == 3*10 }, "everything arrives")
	for name, times := range b.names() {
		assert.Equal(t, 1, times, name)
	}
}
