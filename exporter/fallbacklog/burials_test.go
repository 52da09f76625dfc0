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

// A run of dead letters has one line a minute, and each record is in one line. The first one after a quiet minute has its
// line at once.
func TestBurialsAreToldTogether(t *testing.T) {
	var b burials
	now := time.Unix(1000, 0)
	var lines []burialLine
	keep := func(line burialLine, due bool) {
		if due {
			lines = append(lines, line)
		}
	}
	keep(b.due(now))
	require.Empty(t, lines, "there is nothing to say")
	cause := errors.New("refused")
	keep(b.add(now, delivery.ReasonRefused, 5, cause))
	require.Equal(t, []burialLine{{records: 1, items: 5, reason: delivery.ReasonRefused, cause: cause}}, lines, "at once")
	for range 179 {
		now = now.Add(time.Second)
		keep(b.due(now))
		keep(b.add(now, delivery.ReasonPoison, 2, cause))
	}
	require.Len(t, lines, 3)
	assert.Equal(t, burialLine{59, 118, delivery.ReasonPoison, cause}, lines[1])
	assert.Equal(t, burialLine{60, 120, delivery.ReasonPoison, cause}, lines[2])
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
	keep(b.rest(now))
	require.Len(t, lines, 6, "the rest, when the component stops")
	assert.Equal(t, 3, lines[5].items)
	keep(b.rest(now))
	assert.Len(t, lines, 6)
}

// The line says how many, where they are, what the downstream answered, and the command that shows them; what a run has
// beyond the first is said at the latest when the component stops.
func TestDeadLetterLine(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.InvalidArgument)
	core, lines := observer.New(zap.InfoLevel)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b)), zap.New(core))
	for i := range 4 { // a fifth refusal in a row would be the downstream's fault
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
