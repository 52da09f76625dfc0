package cardinalitylimit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// hostile is a batch with one point over each limit, and one point within all of them.
func hostile() pmetric.Metrics {
	b := newBatch("orders", "host", strings.Repeat("h", 1<<20))
	at := time.Unix(1_700_000_000, 0)
	sums := b.sum("requests", delta, true)
	put(sums, 1, at, at, "id", "fine")
	put(sums, 1, at, at, strings.Repeat("n", 513), "")
	for i := range 129 {
		if i == 0 {
			put(sums, 1, at, at)
		}
		sums.At(2).Attributes().PutInt(fmt.Sprint(i), 0)
	}
	put(b.sum(strings.Repeat("m", 513), delta, true), 1, at, at)
	put(b.sum("values", delta, true), 1, at, at, "id", strings.Repeat("v", 4097))
	deep := put(b.sum("deep", delta, true), 1, at, at).Attributes().PutEmpty("id")
	for range 100_000 {
		deep = deep.SetEmptySlice().AppendEmpty()
	}
	explicit := b.sm.Metrics().AppendEmpty().SetEmptyHistogram()
	explicit.SetAggregationTemporality(delta)
	explicit.DataPoints().AppendEmpty().BucketCounts().FromRaw(make([]uint64, 2049))
	explicit.DataPoints().AppendEmpty().ExplicitBounds().FromRaw(make([]float64, 2049))
	exponential := b.sm.Metrics().AppendEmpty().SetEmptyExponentialHistogram()
	exponential.SetAggregationTemporality(delta)
	p := exponential.DataPoints().AppendEmpty()
	p.Positive().BucketCounts().FromRaw(make([]uint64, 1025))
	p.Negative().BucketCounts().FromRaw(make([]uint64, 1024))
	quantiles := b.sm.Metrics().AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().QuantileValues()
	for range 100_000 {
		quantiles.AppendEmpty()
	}
	return b.md
}

var hostileKinds = map[string]int64{
	"value": 2, "depth": 1, "point_name": 2, "point_attributes": 1, "point_buckets": 4,
}

func TestWhatSendersChooseIsBounded(t *testing.T) {
	for _, mode := range []string{modeEnforce, modeDryRun} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Mode = mode })
			md := hostile()
			all := md.DataPointCount()
			r.send(md)
			for kind, n := range hostileKinds {
				assert.Equal(t, n, r.counter("oversized", "kind", kind, "mode", mode), kind)
			}
			assert.Equal(t, int64(3), r.counter("points", "action", "pass"), "what is refused is asked of no limit")
			sent := r.sink.drain()
			require.Len(t, sent, 1)
			rm := sent[0].ResourceMetrics().At(0)
			host, _ := rm.Resource().Attributes().Get("host")
			if mode == modeDryRun {
				assert.Equal(t, all, sent[0].DataPointCount())
				assert.Len(t, host.Str(), 1<<20)
				return
			}
			assert.Equal(t, 3, sent[0].DataPointCount())
			assert.Len(t, host.Str(), 4096)
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				id, _ := m.Sum().DataPoints().At(0).Attributes().Get("id")
				assert.Equal(t, pcommon.ValueTypeStr, id.Type())
				assert.LessOrEqual(t, len(id.Str()), 4096)
			}
		})
	}
}

// The limits apply before exemptions. Each can be turned off alone.
func TestExemptMetricsAreBounded(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Exempt.Metrics = []string{".*"}
		c.AttributeLimits = AttributeLimitsConfig{MaxValueBytes: 4096}
	})
	r.send(hostile())
	assert.Equal(t, int64(3), r.counter("oversized", "kind", "value"), "a deep value is long as well")
	assert.Equal(t, int64(3), r.counter("oversized"))
	assert.Equal(t, int64(10), r.counter("points", "action", "pass"))
}

// One log record per minute has the exceeded bounds, with the sums since the last record.
func TestOversizedIsLoggedByTheMinute(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	r := &rig{t: t, clock: harness.NewClock(), sink: &sink{}, tel: componenttest.NewTelemetry()}
	set := settingsOf(r.tel, "")
	set.Logger = zap.New(core)
	p, err := factoryAt(r.clock).createMetrics(t.Context(), set, config(nil), r.sink)
	require.NoError(t, err)
	r.limiter = p.(*limiter)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, r.stop()) })
	records := func() (found []observer.LoggedEntry) {
		for _, e := range logs.TakeAll() {
			if e.Message == "Senders exceed attribute_limits" {
				found = append(found, e)
			}
		}
		return found
	}
	r.send(hostile())
	first := records()
	require.Len(t, first, 1)
	assert.Equal(t, map[string]any{
		"example_kind": "value", "example_name": "host", "value": int64(2), "depth": int64(1),
		"point_name": int64(2), "point_attributes": int64(1), "point_buckets": int64(4),
	}, first[0].ContextMap())
	r.send(hostile())
	r.send(hostile())
	assert.Empty(t, records())
	r.clock.Add(time.Minute)
	r.send(hostile())
	next := records()
	require.Len(t, next, 1)
	assert.Equal(t, int64(6), next[0].ContextMap()["value"])
	r.send(newBatch("orders").md)
	r.clock.Add(time.Hour)
	r.send(newBatch("orders").md)
	assert.Empty(t, records())
}

func TestAttributeLimitsAreChecked(t *testing.T) {
	c := config(func(c *Config) {
		c.AttributeLimits = AttributeLimitsConfig{
			MaxCount: -1, MaxNameBytes: 15, MaxValueBytes: 1<<20 + 1, MaxDepth: 1025, MaxBuckets: -1,
		}
	})
	require.EqualError(t, c.Validate(), strings.Join([]string{
		"attribute_limits::max_count: must be 0 or from 1 to 1000000000 (got -1)",
		"attribute_limits::max_name_bytes: must be 0 or from 16 to 1048576 (got 15)",
		"attribute_limits::max_value_bytes: must be 0 or from 16 to 1048576 (got 1048577)",
		"attribute_limits::max_depth: must be 0 or from 1 to 1024 (got 1025)",
		"attribute_limits::max_buckets: must be 0 or from 1 to 1000000000 (got -1)",
	}, "\n"))
	c.AttributeLimits = AttributeLimitsConfig{}
	require.NoError(t, c.Validate())
}
