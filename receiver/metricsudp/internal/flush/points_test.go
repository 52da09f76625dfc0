package flush

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Timestamped points cannot be merged, so the buffer bounds the points that wait.
func TestTimestampedPoints(t *testing.T) {
	r := newRig(t, nil)
	stalled, release := r.stall()
	r.send(0, "a:1|c|T1600000000\na:2|c")
	r.flushAt(5)
	<-stalled
	for i := 2; i <= 4; i++ {
		r.send(0, "a:1|c|T1600000000\ng:1|g|T1600000001")
		r.flushAt(5 * i)
	}
	r.answer(nil)
	close(release)
	require.NoError(t, r.stop(context.Background(), 25))

	timed := 0
	for _, p := range r.sums("a") {
		if p.StartTimestamp() == 0 {
			timed++
			assert.Equal(t, int64(1_600_000_000), p.Timestamp().AsTime().Unix())
		}
	}
	assert.Equal(t, 1+2, timed)
	dropped := uint64(0)
	for _, report := range r.reports {
		dropped += report.Stats.DroppedPoints
	}
	assert.Equal(t, uint64(3), dropped, "of 6 while stalled, 3 have room")
}

// mapped maps timers to summaries, histograms to one point per value, and distributions to explicit buckets.
func mapped(o *series.Options) {
	o.Observers[line.Timer] = series.Observer{Aggregation: series.Summary, Percentiles: []float64{0, 50, 100}}
	o.Observers[line.Histogram] = series.Observer{Aggregation: series.Each}
	o.Observers[line.Distribution] = series.Observer{Explicit: []series.ExplicitBuckets{{Name: regexp.MustCompile("d"), Bounds: []float64{1, 2}}}}
}

// With cumulative temporality explicit histograms are sums since the start and are repeated. Summaries belong to one interval with
// either temporality, and their intervals have no gaps.
func TestMappedPoints(t *testing.T) {
	for _, cumulative := range []bool{false, true} {
		r := newRig(t, func(o *series.Options, b *Builder, _ *SenderOptions) {
			mapped(o)
			b.Cumulative = cumulative
		})
		r.send(0, "d:1:3|d\nt:1:2|ms")
		r.send(1, "d:2|d|@0.5\nt:6|ms")
		r.flushAt(5)
		r.consumed()
		r.send(1, "d:0|d\nt:4|ms")
		r.flushAt(10)
		r.consumed()
		require.NoError(t, r.stop(context.Background(), 15))

		type histogram struct {
			start, end    int
			counts        []uint64
			sum, min, max float64
		}
		var histograms []histogram
		r.each("d", func(m pmetric.Metric) {
			assert.Equal(t, r.Builder.temporality(), m.Histogram().AggregationTemporality())
			p := m.Histogram().DataPoints().At(0)
			assert.Equal(t, []float64{1, 2}, p.ExplicitBounds().AsRaw())
			counts := p.BucketCounts().AsRaw()
			assert.Equal(t, p.Count(), counts[0]+counts[1]+counts[2])
			histograms = append(histograms, histogram{seconds(p.StartTimestamp()), seconds(p.Timestamp()), counts, p.Sum(), p.Min(), p.Max()})
		})
		if cumulative {
			assert.Equal(t, []histogram{
				{0, 5, []uint64{1, 2, 1}, 8, 1, 3},
				{0, 10, []uint64{2, 2, 1}, 8, 0, 3},
				{0, 15, []uint64{2, 2, 1}, 8, 0, 3},
			}, histograms)
		} else {
			assert.Equal(t, []histogram{{0, 5, []uint64{1, 2, 1}, 8, 1, 3}, {5, 10, []uint64{1, 0, 0}, 0, 0, 0}}, histograms)
		}

		type summary struct {
			start, end int
			count      uint64
			sum        float64
			quantiles  map[float64]float64
		}
		var summaries []summary
		r.each("t", func(m pmetric.Metric) {
			assert.Equal(t, "ms", m.Unit())
			p := m.Summary().DataPoints().At(0)
			s := summary{seconds(p.StartTimestamp()), seconds(p.Timestamp()), p.Count(), p.Sum(), map[float64]float64{}}
			for i := range p.QuantileValues().Len() {
				s.quantiles[p.QuantileValues().At(i).Quantile()] = p.QuantileValues().At(i).Value()
			}
			summaries = append(summaries, s)
		})
		assert.Equal(t, []summary{
			{0, 5, 3, 9, map[float64]float64{0: 1, 0.5: 2, 1: 6}},
			{5, 10, 1, 4, map[float64]float64{0: 4, 0.5: 4, 1: 4}},
		}, summaries)
	}
}

// While the consumer stalls, the intervals of a summary are merged. Its quantiles are those of all values.
func TestSummariesCoalesce(t *testing.T) {
	r := newRig(t, func(o *series.Options, _ *Builder, _ *SenderOptions) { mapped(o) })
	stalled, release := r.stall()
	r.send(0, "t:100|ms")
	r.flushAt(5)
	<-stalled
	for i := 2; i <= 8; i++ {
		for range 300 {
			r.send(i%2, fmt.Sprintf("t:%d|ms", i))
		}
		r.flushAt(5 * i)
	}
	r.answer(nil)
	close(release)
	require.NoError(t, r.stop(context.Background(), 45))
	points := 0
	r.each("t", func(m pmetric.Metric) {
		if points++; points == 1 {
			return
		}
		p := m.Summary().DataPoints().At(0)
		assert.Equal(t, uint64(7*300), p.Count())
		assert.InDelta(t, 300*(2+3+4+5+6+7+8), p.Sum(), 0)
		assert.InDelta(t, 5, p.QuantileValues().At(1).Value(), 5*0.0028)
		assert.Equal(t, 5, seconds(p.StartTimestamp()))
	})
	assert.Equal(t, 2, points)
}

// A point has the time of receipt, converted with the difference of both clocks at the flush.
func TestPointsHaveTheTimeOfReceipt(t *testing.T) {
	r := newRig(t, func(o *series.Options, _ *Builder, _ *SenderOptions) { mapped(o) })
	r.send(0, "h:3|h|@0.1|#k:v")
	r.send(1, "h:4:5|h\na:1|c|T1600000000") // 4 points for a buffer of 3
	r.clock.now = epochStart.Add(5 * time.Second)
	r.flushAt(5)
	r.consumed()
	require.NoError(t, r.stop(context.Background(), 10))
	values := map[float64]int{}
	r.each("h", func(m pmetric.Metric) {
		for i := range m.Gauge().DataPoints().Len() {
			p := m.Gauge().DataPoints().At(i)
			assert.Zero(t, p.StartTimestamp())
			assert.Equal(t, epochStart.Add(5*time.Second-2*time.Millisecond), p.Timestamp().AsTime().Local())
			values[p.DoubleValue()] = p.Attributes().Len()
		}
	})
	assert.Equal(t, map[float64]int{3: 1, 4: 0, 5: 0}, values)
	assert.Equal(t, uint64(1), r.reports[0].Stats.DroppedPoints)
}

func TestBatchHasOneResourceAndOneScope(t *testing.T) {
	r := newRig(t, func(_ *series.Options, b *Builder, _ *SenderOptions) {
		b.Resource.Attributes().PutStr("service.name", "x")
	})
	r.send(0, "a:1|c|#x:1\na:1|c|#x:2\na:1|g\nt:1|ms\nh:1|h")
	r.send(1, "a:1|c|#x:1\nb:1|c")
	require.NoError(t, r.stop(context.Background(), 5))
	require.Len(t, r.taken, 1)
	md := r.taken[0]
	require.Equal(t, 1, md.ResourceMetrics().Len())
	assert.Equal(t, map[string]any{"service.name": "x"}, md.ResourceMetrics().At(0).Resource().Attributes().AsRaw())
	require.Equal(t, 1, md.ResourceMetrics().At(0).ScopeMetrics().Len())
	assert.Equal(t, 5, md.MetricCount())
	assert.Equal(t, 6, md.DataPointCount())
}
