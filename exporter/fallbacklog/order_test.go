package fallbacklog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
)

// The newest segment is sent first and completely, in it the oldest record first.
func TestNewestFirstReplay(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	dir := t.TempDir()
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), map[string]any{
		"log": map[string]any{"fsync": "none"}, "replay": map[string]any{"enabled": false},
	}))
	const n = 60
	for k := range n {
		ld := makeLogs(fmt.Sprint(k), 1)
		ld.ResourceLogs().At(0).Resource().Attributes().PutStr("padding", strings.Repeat("x", 100<<10))
		require.NoError(t, g.logs.ConsumeLogs(context.Background(), ld))
	}
	g.stop()

	var mu sync.Mutex
	var took []string
	b.set(func(name string) error {
		mu.Lock()
		defer mu.Unlock()
		took = append(took, name)
		return nil
	})
	g = startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), map[string]any{
		"replay": map[string]any{"order": "newest_first", "concurrency": 1, "coalesce_mib": 0},
	}))
	eventually(t, func() bool { return g.sum("segments") == 0 }, "it is drained")
	require.Len(t, took, n)
	place := func(k int) int { return slices.Index(took, fmt.Sprintf("%d/0", k)) }
	for k := range n - 20 { // a segment contains about ten records
		assert.Less(t, place(k+20), place(k), "%v", took)
	}
}
