package flush

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

func TestCumulativeStartsStayAndTotalsGrow(t *testing.T) {
	r := newRig(t, func(o *series.Options, b *Builder, _ *SenderOptions) {
		b.Cumulative, o.TimedCounters, o.ExpirySwaps = true, false, 4
	})
	r.send(0, "early:1|c\nd:1|d")
	r.flushAt(5)
	r.consumed()
	r.send(1, "early:2|c\nlate:1|c\nd:2|d\nu:x|s")
	r.flushAt(10)
	r.consumed()
	r.flushAt(15) // no values: repeated
	r.consumed()
	require.NoError(t, r.stop(context.Background(), 20))

	var values []int64
	for i, p := range r.sums("early") {
		assert.Equal(t, 0, seconds(p.StartTimestamp()))
		assert.Equal(t, 5*(i+1), seconds(p.Timestamp()))
		values = append(values, p.IntValue())
	}
	assert.Equal(t, []int64{1, 3, 3, 3}, values)
	for _, p := range r.sums("late") {
		assert.Equal(t, 5, seconds(p.StartTimestamp()), "begins with the interval it appeared in")
		assert.Equal(t, int64(1), p.IntValue())
	}
	assert.Len(t, r.sums("late"), 3)
	var counts []uint64
	r.each("d", func(m pmetric.Metric) {
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, m.ExponentialHistogram().AggregationTemporality())
		p := m.ExponentialHistogram().DataPoints().At(0)
		assert.Equal(t, 0, seconds(p.StartTimestamp()))
		counts = append(counts, p.Count())
	})
	assert.Equal(t, []uint64{1, 2, 2, 2}, counts)
	sets := 0
	r.each("u", func(pmetric.Metric) { sets++ })
	assert.Equal(t, 1, sets, "a set is of its interval")
}

func TestCumulativeSeriesExpireAndStartAnew(t *testing.T) {
	r := newRig(t, func(o *series.Options, b *Builder, _ *SenderOptions) { b.Cumulative, o.ExpirySwaps = true, 2 })
	r.send(0, "a:5|c")
	for i := 1; i <= 4; i++ {
		r.flushAt(5 * i)
		r.consumed()
	}
	r.send(0, "a:7|c")
	require.NoError(t, r.stop(context.Background(), 25))
	points := r.sums("a")
	last := points[len(points)-1]
	assert.Equal(t, int64(7), last.IntValue())
	assert.Equal(t, 20, seconds(last.StartTimestamp()))
	assert.Len(t, points, 3, "5, 5 again while alive, 7")
}

func TestGaugesResend(t *testing.T) {
	for _, resend := range []bool{false, true} {
		r := newRig(t, func(_ *series.Options, b *Builder, _ *SenderOptions) { b.ResendGauges = resend })
		r.send(0, "g:4|g")
		for i := 1; i <= 3; i++ {
			r.flushAt(5 * i)
			r.consumed()
		}
		require.NoError(t, r.stop(context.Background(), 20))
		n := 0
		r.each("g", func(m pmetric.Metric) {
			n++
			assert.InDelta(t, 4, m.Gauge().DataPoints().At(0).DoubleValue(), 0)
		})
		if resend {
			assert.Equal(t, 4, n)
		} else {
			assert.Equal(t, 1, n)
		}
	}
}
