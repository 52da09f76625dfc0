package convert_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// Batches of the same streams arrive concurrently. The buckets of each point add up, and the last point of each stream is
// emitted as if it had arrived alone.
func TestStatefulConcurrentUse(t *testing.T) {
	const workers, points = 4, 400
	c, rule := convert.New(convert.NewPlans(8)), stateful(explicitTarget([]float64{1, 2}), convert.Hold)
	send := func(n int, report *convert.Report) pmetric.HistogramDataPoint {
		metrics, m := newMetrics()
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		exported{start: 1, time: pcommon.Timestamp(10 + n), counts: []uint64{uint64(n), uint64(2 * n), uint64(n)}, wide: n%3 == 0}.write(h.DataPoints().AppendEmpty())
		c.Metric(m, metrics, newOrigin(), rule, report)
		return h.DataPoints().At(0)
	}
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			report := new(convert.Report)
			report.Reset(1)
			for n := range points {
				dp := send(n, report)
				var sum uint64
				for _, count := range dp.BucketCounts().All() {
					sum += count
				}
				if sum != dp.Count() || dp.Count() != uint64(4*n) {
					t.Errorf("worker %d, point %d: count %d, buckets %d", worker, n, dp.Count(), sum)
				}
			}
			if report.Violations != [convert.Actions][convert.Violations]int64{} {
				t.Errorf("worker %d: violations %v", worker, report.Violations)
			}
		})
	}
	wg.Wait()
	report := new(convert.Report)
	report.Reset(1)
	require.EqualValues(t, 4*points, send(points, report).Count())
}
