package metricsudp

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
)

func TestFormatsFromDatagramToPoint(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, func(c *Config) {
		c.TagFormats = []string{"dogstatsd", "influx", "librato", "signalfx", "graphite", "lyft"}
	})
	r.send(t, "hits,host=a:1|c\nhits#host=a:1|c\nhi[host=a]ts:1|c\nhits;host=a:1|c\nhits.__host=a:1|c\nhits:1|c|#host:a\nhits,host=a:1|c|#b:c")
	require.NoError(t, r.Shutdown(context.Background()))
	hits := findMetric(t, sink.AllMetrics(), "hits").Sum().DataPoints()
	require.Equal(t, 1, hits.Len())
	assert.Equal(t, int64(6), hits.At(0).IntValue())
	assert.Equal(t, map[string]any{"host": "a"}, hits.At(0).Attributes().AsRaw())
	assert.Equal(t, map[string]int64{"mixed_tags": 1}, r.counted(t, "rejected_lines", "reason"))
	assert.Empty(t, r.counted(t, "names_with_tags", "format"))
}

// By default tags in a name are part of the name, and the receiver counts and logs such names.
func TestNamesWithTags(t *testing.T) {
	r := start(t, consumertest.NewNop(), nil)
	r.send(t, "a,host=1:1|c\na,host=2:1|c\na,host=1:1|c\nb;k=v:1|g\nc:1|c|#k:v=w")
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, map[string]int64{"influx": 2, "graphite": 1}, r.counted(t, "names_with_tags", "format"))
	assert.Equal(t, map[string]int64{"counter": 4, "gauge": 1}, r.counted(t, "lines", "type"))
}

func TestNamesWithTagsAreLogged(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	set := receivertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	report, err := newReporter(set)
	require.NoError(t, err)
	for range 3 {
		report.flush(&flush.Report{Suspects: []flush.Suspect{{Format: line.Influx, Name: "a,host=1"}, {Format: line.Lyft, Name: "a.__k=v"}}})
	}
	require.Equal(t, 2, logs.Len())
	assert.Equal(t, map[string]any{"format": "influx", "example": "a,host=1"}, logs.All()[0].ContextMap())
	assert.Contains(t, logs.All()[0].Message, "tag_formats")
	assert.Equal(t, "lyft", logs.All()[1].ContextMap()["format"])
}

func TestTagFormatsReplaceTheDefault(t *testing.T) {
	for _, formats := range [][]any{{}, {"influx"}, {"lyft", "dogstatsd"}} {
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, confmap.NewFromStringMap(map[string]any{"tag_formats": formats}).Unmarshal(cfg))
		require.NoError(t, cfg.Validate())
		assert.Len(t, cfg.TagFormats, len(formats))
		options, err := cfg.seriesOptions()
		require.NoError(t, err)
		assert.Equal(t, len(formats) != 2, options.Limits.NoTagField)
	}
}
