package fallbacklog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// With drop_oldest a full dead letter drops and counts its oldest records, and accepts new ones. With reject it does not.
func TestFullDeadLetter(t *testing.T) {
	for _, policy := range []string{"reject", "drop_oldest"} {
		t.Run(policy, func(t *testing.T) {
			b := newBackend(t)
			b.set(func(name string) error {
				if strings.HasPrefix(name, "dead") {
					return status.Error(codes.InvalidArgument, "told to")
				}
				return nil
			})
			g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b),
				logSettings(map[string]any{"max_segment_size_mib": 1}),
				map[string]any{"dead_letter": map[string]any{"max_disk_mib": 1, "on_full": policy}}))
			var failed error
			const batches = 40
			for k := range batches {
				if err := g.logs.ConsumeLogs(t.Context(), makeLogs(fmt.Sprint("dead", k, strings.Repeat("x", 100_000)), 1)); err != nil {
					failed = err
				}
				require.NoError(t, g.logs.ConsumeLogs(t.Context(), makeLogs(fmt.Sprint("taken", k), 1)))
			}
			dropped := g.sum("dropped_items", "reason", droppedByDeadLetter)
			if policy == "reject" {
				require.Error(t, failed)
				assert.Zero(t, dropped)
				return
			}
			require.NoError(t, failed)
			assert.Positive(t, dropped)
			assert.EqualValues(t, batches, g.sum("dead_letter_items"))
			assert.Less(t, dropped, g.sum("dead_letter_items"))
		})
	}
}
