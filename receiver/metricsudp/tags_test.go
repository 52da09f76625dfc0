package metricsudp

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
)

// The keys for senders with another meaning of names, signs and units, from the datagram to the point.
func TestDialectKeysFromDatagramToPoint(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, func(c *Config) {
		c.Gauges.Signed = "absolute"
		c.Counters.NonMonotonic = []string{`sessions_.*`}
		c.TimerUnit, c.NameCleaning = "s", "prometheus"
	})
	r.send(t, "temp:-5|g\nsessions.open:-2|c\ntook:1500|ms\nhits:-1|c\nhits:1|c")
	r.clock.tick(1)
	r.send(t, "temp:-5|g")
	require.NoError(t, r.Shutdown(context.Background()))
	batches := sink.AllMetrics()
	assert.InDelta(t, -5, findMetric(t, batches[len(batches)-1:], "temp").Gauge().DataPoints().At(0).DoubleValue(), 0)
	sessions := findMetric(t, batches, "sessions_open").Sum()
	assert.False(t, sessions.IsMonotonic())
	assert.Equal(t, int64(-2), sessions.DataPoints().At(0).IntValue())
	assert.True(t, findMetric(t, batches, "hits").Sum().IsMonotonic())
	took := findMetric(t, batches, "took")
	assert.Equal(t, "s", took.Unit())
	assert.InDelta(t, 1.5, took.ExponentialHistogram().DataPoints().At(0).Sum(), 0)
	assert.Equal(t, map[string]int64{"negative_counter": 1}, r.counted(t, "rejected_lines", "reason"))
	assert.Equal(t, int64(1), sumOf(r.counted(t, "cleaned_lines", "")))
}

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
