package fromzero

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
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
	var got metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &got))
	points := got.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints
	seen := map[string]int64{}
	for _, p := range points {
		value, _ := p.Attributes.Value("reason")
		signal, _ := p.Attributes.Value("signal")
		seen[value.AsString()+" "+signal.AsString()] = p.Value
	}
	assert.Equal(t, map[string]int64{"full logs": 0, "expired logs": 0}, seen)
}
