package fallbacklog

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// What can never fit costs nothing that is there already, and its caller gets it back.
func TestRecordThatNeverFitsDropsNothing(t *testing.T) {
	dir := t.TempDir()
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), map[string]any{
		"log": map[string]any{"max_disk_mib": 2, "on_full": "drop_oldest"},
	}))
	for i := range 10 {
		require.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs(fmt.Sprint(i), 20)))
	}
	err := g.sendLog(strings.Repeat("x", 3*mib))
	require.ErrorIs(t, err, segment.ErrNoRoom)
	assert.False(t, consumererror.IsPermanent(err), "the downstream may take it yet")
	items, _ := onDisk(t, dir, "logs", false)
	assert.Equal(t, 200, items)
	assert.Zero(t, g.sum("dropped_items"))
	assert.EqualValues(t, 1, g.sum("rejected_items"))
}
