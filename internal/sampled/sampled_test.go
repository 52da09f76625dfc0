package sampled_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
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
