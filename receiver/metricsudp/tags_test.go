package metricsudp

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
)

func TestTagKeysFromDatagramToPoint(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, func(c *Config) { c.EnableMetricType, c.EnableSimpleTags = true, false })
	r.send(t, "hits:3|c|#a:1,metric_type:x\nhits:2|c|#a:1\nhits:1|c|#simple")
	require.NoError(t, r.Shutdown(context.Background()))
	points := findMetric(t, sink.AllMetrics(), "hits").Sum().DataPoints()
	require.Equal(t, 1, points.Len())
	assert.Equal(t, int64(5), points.At(0).IntValue())
	assert.Equal(t, map[string]any{"a": "1", "metric_type": "counter"}, points.At(0).Attributes().AsRaw())
	assert.Equal(t, map[string]int64{"bad_tag": 1}, r.counted(t, "rejected_lines", "reason"))
}
