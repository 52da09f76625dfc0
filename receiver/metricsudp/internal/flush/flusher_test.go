package flush

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestDeltaPointsTouch(t *testing.T) {
	r := newRig(t, nil)
	want := int64(0)
	for i := 1; i <= 40; i++ {
		if i%3 == 0 || i%7 < 2 { // some idle intervals, shorter than the expiry
			r.send(i%2, "a:2|c\nd:5|d")
			want += 2
		}
		r.flushAt(5 * i)
		r.consumed()
	}
	require.NoError(t, r.stop(context.Background(), 205))

	points := r.sums("a")
	assert.Equal(t, want, total(points))
	assert.Equal(t, 0, seconds(points[0].StartTimestamp()))
	for i := 1; i < len(points); i++ {
		require.Equal(t, points[i-1].Timestamp(), points[i].StartTimestamp())
		require.Greater(t, points[i].Timestamp(), points[i].StartTimestamp())
	}
	var last pcommon.Timestamp
	r.each("d", func(m pmetric.Metric) {
		p := m.ExponentialHistogram().DataPoints().At(0)
		if last != 0 {
			require.Equal(t, last, p.StartTimestamp())
		}
		last = p.Timestamp()
	})
}

func TestClockSetBack(t *testing.T) {
	r := newRig(t, nil)
	for _, at := range []int{10, 5, 5, 20} {
		r.send(0, "a:1|c")
		r.flushAt(at)
		r.consumed()
	}
	require.NoError(t, r.stop(context.Background(), 15))
	points := r.sums("a")
	require.Len(t, points, 4)
	for i, p := range points {
		assert.Greater(t, p.Timestamp(), p.StartTimestamp())
		if i > 0 {
			assert.Equal(t, points[i-1].Timestamp(), p.StartTimestamp())
		}
	}
}

// While the consumer processes one batch, flushes continue: readers are swapped, and their values are merged into the next batch.
func TestStalledConsumerCoalesces(t *testing.T) {
	r := newRig(t, nil)
	stalled, release := r.stall()
	r.send(0, "a:1|c\ng:1|g\nd:1|d\nu:x|s")
	r.flushAt(5)
	<-stalled
	for i := 2; i <= 6; i++ {
		r.send(i%2, fmt.Sprintf("a:1|c\ng:%d|g\nd:1|d\nu:x%d|s", i, i))
		r.flushAt(5 * i) // returns before the consumer does
	}
	r.answer(nil)
	close(release)
	r.consumed()
	require.NoError(t, r.stop(context.Background(), 35))

	points := r.sums("a")
	require.Len(t, points, 2)
	assert.Equal(t, int64(6), total(points))
	assert.Equal(t, points[0].Timestamp(), points[1].StartTimestamp())
	assert.Equal(t, 35, seconds(points[1].Timestamp()))
	var observed uint64
	r.each("d", func(m pmetric.Metric) { observed += m.ExponentialHistogram().DataPoints().At(0).Count() })
	assert.Equal(t, uint64(6), observed)
	var gauges []float64
	r.each("g", func(m pmetric.Metric) { gauges = append(gauges, m.Gauge().DataPoints().At(0).DoubleValue()) })
	assert.Equal(t, []float64{1, 6}, gauges)
	var members []int64
	r.each("u", func(m pmetric.Metric) { members = append(members, m.Gauge().DataPoints().At(0).IntValue()) })
	assert.Equal(t, []int64{1, 5}, members)
}
