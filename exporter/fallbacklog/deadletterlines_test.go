package fallbacklog

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

// Each record that goes to the dead letter is in exactly one line. There is at most one line per minute. The first record after
// a quiet minute is logged at once.
func TestDeadLetterLinesAreJoined(t *testing.T) {
	var b deadLetterLines
	now := time.Unix(1000, 0)
	var lines []deadLetterLine
	keep := func(line deadLetterLine, due bool) {
		if due {
			lines = append(lines, line)
		}
	}
	keep(b.due(now))
	require.Empty(t, lines, "there is nothing to say")
	cause := errors.New("refused")
	keep(b.add(now, delivery.ReasonRefused, 5, cause))
	require.Equal(t, []deadLetterLine{{records: 1, items: 5, reason: delivery.ReasonRefused, cause: cause}}, lines, "at once")
	for range 179 {
		now = now.Add(time.Second)
		keep(b.due(now))
		keep(b.add(now, delivery.ReasonPoison, 2, cause))
	}
	require.Len(t, lines, 3)
	assert.Equal(t, deadLetterLine{59, 118, delivery.ReasonPoison, cause}, lines[1])
	assert.Equal(t, deadLetterLine{60, 120, delivery.ReasonPoison, cause}, lines[2])
	now = now.Add(time.Second)
	keep(b.due(now))
	require.Len(t, lines, 4, "without a further record")
	assert.Equal(t, 60, lines[3].records)
	now = now.Add(time.Hour)
	keep(b.due(now))
	require.Len(t, lines, 4)
	keep(b.add(now, delivery.ReasonRefused, 1, cause))
	require.Len(t, lines, 5, "at once again")
	keep(b.add(now, delivery.ReasonRefused, 3, cause))
	require.Len(t, lines, 5)
	keep(b.remaining(now))
	require.Len(t, lines, 6, "the rest, when the component stops")
	assert.Equal(t, 3, lines[5].items)
	keep(b.remaining(now))
	assert.Len(t, lines, 6)
}

// The line contains the numbers of records and items, the directory, the downstream's answer, and the command that shows the
// records. Records without a line are logged when the component stops.
func TestDeadLetterLine(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.InvalidArgument)
	core, lines := observer.New(zap.InfoLevel)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b)), zap.New(core))
	for i := range 4 { // a fifth consecutive refusal would make the signal wait
		require.NoError(t, g.logs.ConsumeLogs(t.Context(), makeLogs(fmt.Sprint(i), 3)))
	}
	seen := func() []observer.LoggedEntry { return lines.FilterMessage("records went to the dead letter").All() }
	require.Len(t, seen(), 1)
	fields := seen()[0].ContextMap()
	assert.EqualValues(t, 1, fields["records"])
	assert.EqualValues(t, 3, fields["items"])
	assert.Equal(t, "permanent", fields["reason"])
	assert.Contains(t, fields["error"], "told to")
	assert.Equal(t, filepath.Join(g.dir, "fallbacklog", "logs", "dead-letter"), fields["directory"])
	assert.DirExists(t, fields["directory"].(string))
	assert.Equal(t, "fallbacklog cat -dead-letter -component fallbacklog -signal logs "+g.dir, fields["command"])
	g.stop()
	require.Len(t, seen(), 2)
	assert.EqualValues(t, 9, seen()[1].ContextMap()["items"])
}
