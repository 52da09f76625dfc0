package sampled_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/internal/sampled"
)

func TestOneLinePerMessage(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	l := sampled.Logger(zap.New(core))
	for i := range 100 {
		l.Info("a", zap.Int("item", i))
		l.Warn("b")
	}
	assert.Equal(t, 2, logs.Len())
	assert.Equal(t, 1, logs.FilterMessage("a").Len())
}

// A minute later the message is written again. Loggers with further fields share the minute; another level has its own.
func TestOneLinePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		l := sampled.Logger(zap.New(core))
		l.Info("a")
		l.With(zap.String("signal", "logs")).Info("a")
		l.Debug("a")
		assert.Equal(t, 1, logs.Len())
		l.Error("a")
		assert.Equal(t, 2, logs.Len())
		time.Sleep(time.Minute - time.Second)
		l.Info("a")
		assert.Equal(t, 2, logs.Len())
		time.Sleep(time.Second)
		l.Info("a")
		assert.Equal(t, 3, logs.Len())
		assert.Equal(t, zapcore.InfoLevel, l.Level())
	})
}
