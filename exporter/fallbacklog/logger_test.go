package fallbacklog

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// injectingCore adds the signal to each line, like the Collector's core.
type injectingCore struct {
	zapcore.Core
	plain zapcore.Core
}

func (c injectingCore) DropInjectedAttributes(dropped ...string) zapcore.Core {
	if len(dropped) == 1 && dropped[0] == "otelcol.signal" {
		return c.plain
	}
	return c
}

// A line about one signal contains that signal. A line about the component contains none.
func TestLinesCarryTheirSignal(t *testing.T) {
	plain, lines := observer.New(zap.InfoLevel)
	logger := func(signal string) *zap.Logger {
		return zap.New(injectingCore{plain.With([]zapcore.Field{zap.String("otelcol.signal", signal)}), plain})
	}
	f := NewFactory()
	cfg := loadConfig(t, testSettings(t.TempDir()))
	set := exporterSettings(t, f)
	set.Logger = logger("traces")
	te, err := f.CreateTraces(context.Background(), set, cfg)
	require.NoError(t, err)
	set.Logger = logger("logs")
	le, err := f.CreateLogs(context.Background(), set, cfg)
	require.NoError(t, err)
	host := newTestHost()
	require.NoError(t, te.Start(context.Background(), host))
	require.NoError(t, le.Start(context.Background(), host))
	t.Cleanup(func() {
		require.NoError(t, te.Shutdown(context.Background()))
		require.NoError(t, le.Shutdown(context.Background()))
	})

	le.(logsExporter).lane.tel.Warn(failure.Log, "one", errors.New("x"))
	te.(tracesExporter).lane.tel.Warn(failure.Log, "one", errors.New("x"))
	le.(logsExporter).lane.tel.Warn(failure.Log, "one", errors.New("x"))
	le.(logsExporter).core.logger.Warn("all")
	var got []any
	for _, line := range lines.All() {
		got = append(got, line.ContextMap()["otelcol.signal"])
	}
	assert.Equal(t, []any{"logs", "traces", nil}, got, "each message once a minute for each signal")
}
