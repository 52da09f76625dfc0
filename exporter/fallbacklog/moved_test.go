package fallbacklog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// halfDrained leaves a log of ten records. The downstream has accepted the first five.
func halfDrained(t *testing.T, b *backend, dir string) {
	t.Helper()
	b.refuse(codes.Unavailable)
	cfg := loadConfig(t, testSettings(dir), grpcTo(b), map[string]any{"replay": map[string]any{"coalesce_mib": 0}})
	g := startGateway(t, newTestHost(), cfg)
	for i := range 10 {
		require.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs(fmt.Sprintf("%d", i), 1)))
	}
	b.set(func(name string) error {
		if name >= "5" {
			return status.Error(codes.Unavailable, "")
		}
		return nil
	})
	eventually(t, func() bool { return len(b.names()) == 5 }, "five are delivered")
	g.stop()
	b.set(nil)
}

func segmentsOf(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "fallbacklog", "logs", "*.jsonl"))
	require.NoError(t, err)
	return names
}

// The directory of a component can be moved together with its cursor.
func TestLogMovesWithItsCursor(t *testing.T) {
	b := newBackend(t)
	from := t.TempDir()
	halfDrained(t, b, from)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(copyTree(t, from)), grpcTo(b)))
	eventually(t, func() bool { return len(b.names()) == 10 && g.sum("bytes_on_disk") == 0 }, "the rest is delivered")
	for name, times := range b.names() {
		assert.Equal(t, 1, times, name)
	}
}

// Segments can be copied into a drained log after its cursor has been removed. Below a cursor they count as dealt with and are
// deleted, and a line says so.
func TestSegmentsMoveIntoADrainedLog(t *testing.T) {
	for name, removed := range map[string]bool{"with its cursor": false, "without a cursor": true} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			from, to := t.TempDir(), t.TempDir()
			halfDrained(t, b, from)

			settings := []map[string]any{testSettings(to), grpcTo(b)}
			b.refuse(codes.Unavailable)
			g := startGateway(t, newTestHost(), loadConfig(t, settings...))
			require.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs("own", 1)))
			b.set(nil)
			eventually(t, func() bool { return b.names()["own/0"] == 1 && g.sum("segments") == 0 }, "it is drained")
			g.stop()

			bytes := 0
			for _, name := range segmentsOf(t, from) {
				content, err := os.ReadFile(name)
				require.NoError(t, err)
				bytes += len(content)
				require.NoError(t, os.WriteFile(filepath.Join(to, "fallbacklog", "logs", filepath.Base(name)), content, 0o600))
			}
			if removed {
				require.NoError(t, os.Remove(filepath.Join(to, "fallbacklog", "logs", "cursor")))
			}
			core, lines := observer.New(zap.WarnLevel)
			g = startGateway(t, newTestHost(), loadConfig(t, settings...), zap.New(core))
			warnings := lines.FilterMessageSnippet("dealt with").All()
			if !removed {
				require.Len(t, warnings, 1)
				fields := warnings[0].ContextMap()
				assert.Equal(t, filepath.Join(to, "fallbacklog", "logs"), fields["directory"])
				assert.EqualValues(t, 1, fields["segments"])
				assert.EqualValues(t, bytes, fields["bytes"])
				assert.Empty(t, segmentsOf(t, to))
				assert.Len(t, b.names(), 6)
				return
			}
			assert.Empty(t, warnings)
			eventually(t, func() bool { return g.sum("segments") == 0 }, "it is drained")
			assert.Len(t, b.names(), 11)
		})
	}
}
