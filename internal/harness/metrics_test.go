package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

func TestPointsWithLabels(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	for _, scope := range []string{"one", "other"} {
		lost, err := provider.Meter(scope).Int64Counter("lost")
		require.NoError(t, err)
		lost.Add(context.Background(), 1, metric.WithAttributes(attribute.String("signal", "logs"), attribute.String("reason", "full")))
		lost.Add(context.Background(), 20, metric.WithAttributes(attribute.String("signal", "traces")))
	}
	level, err := provider.Meter("one").Float64Gauge("level")
	require.NoError(t, err)
	level.Record(context.Background(), 0.5)

	assert.EqualValues(t, 42, Sum(t, reader, "lost"))
	assert.EqualValues(t, 2, Sum(t, reader, "lost", "signal", "logs"))
	assert.EqualValues(t, 2, Sum(t, reader, "lost", "signal", "logs", "reason", "full"))
	assert.Zero(t, Sum(t, reader, "lost", "signal", "traces", "reason", "full"))
	assert.Zero(t, Sum(t, reader, "level"), "its numbers are not integers")
	assert.Len(t, Points[float64](t, reader, "level"), 1)
	assert.Empty(t, Points[int64](t, reader, "absent"))
}
