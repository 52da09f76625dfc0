package fromzero

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

type reason string

// Each value of a label has a point with the value zero before the first event.
func TestCounter(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	c, err := provider.Meter("test").Int64Counter("lost")
	require.NoError(t, err)
	common := []attribute.KeyValue{attribute.String("signal", "logs")}
	Counter(c, "reason", Strings([]reason{"full", "expired"}), common...)
	seen := map[string]int64{}
	for _, p := range harness.Points[int64](t, reader, "lost") {
		value, _ := p.Attributes.Value("reason")
		signal, _ := p.Attributes.Value("signal")
		seen[value.AsString()+" "+signal.AsString()] = p.Value
	}
	assert.Equal(t, map[string]int64{"full logs": 0, "expired logs": 0}, seen)
}
