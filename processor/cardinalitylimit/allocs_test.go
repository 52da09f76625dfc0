package cardinalitylimit

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// thousand is a batch of 1,000 points with n attributes each.
func thousand(r *rig, n int) pmetric.Metrics {
	b := newBatch("orders")
	for m := range 10 {
		points := b.sum(fmt.Sprint("requests", m), cumulative, true)
		for i := range 100 {
			p := put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
			for a := range n - 1 {
				p.Attributes().PutStr(fmt.Sprint("attribute.", a), fmt.Sprint("value-", a))
			}
		}
	}
	return b.md
}

// maxAllocs returns the maximum number of allocations per batch of 10 metrics, independent of the number of points. With the race
// detector a sync.Pool drops entries.
func maxAllocs() float64 {
	if harness.Race {
		return 20
	}
	return 0
}

// The allocations of a batch do not grow with its points of series with places, whether or not the processor tracks folded
// streams.
func TestAllocsPerAdmittedPoint(t *testing.T) {
	pod := limitOf(100_000, "drop", "attribute.id")
	pod.Name, pod.Count = "pod", countStreams
	label := defaultLimit
	label.Name, label.Key, label.MaxValues, label.Action = "label", []string{"metric.name"}, 200, "strip"
	for name, limits := range map[string][]LimitConfig{
		"one limit":    defaultLimits,
		"three limits": {defaultLimits[0], pod, label},
	} {
		for tracked := range 2 {
			for kind, build := range map[string]func(*rig, int) pmetric.Metrics{"sums": thousand, "histograms": thousandHistograms} {
				t.Run(fmt.Sprintf("%s/%s/%d tracked", name, kind, tracked), func(t *testing.T) {
					r := newRig(t, func(c *Config) { c.Limits = limits })
					if tracked > 0 {
						r.track(200)
					}
					md := build(r, 5)
					r.requireFewAllocs(t, md)
				})
			}
		}
	}
}

// track folds n cumulative streams.
func (r *rig) track(n int) {
	b := newBatch("orders")
	points := b.sum("folded", cumulative, true)
	for i := range 500 + n {
		put(points, 1, r.clock.Now(), r.clock.Now(), "pod", fmt.Sprint(i))
	}
	r.send(b.md)
	require.Greater(r.t, r.table.Tracked(), n)
}

// thousandHistograms is thousand with histograms.
func thousandHistograms(r *rig, n int) pmetric.Metrics {
	md := thousand(r, n)
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		sums := pmetric.NewNumberDataPointSlice()
		m.Sum().DataPoints().MoveAndAppendTo(sums)
		m.SetEmptyHistogram().SetAggregationTemporality(cumulative)
		for _, from := range sums.All() {
			p := m.Histogram().DataPoints().AppendEmpty()
			from.Attributes().MoveTo(p.Attributes())
			p.SetStartTimestamp(from.StartTimestamp())
			p.SetTimestamp(from.Timestamp())
			p.SetCount(3)
			p.ExplicitBounds().FromRaw([]float64{1, 2})
			p.BucketCounts().FromRaw([]uint64{1, 1, 1})
		}
	}
	return md
}

// decide does the processor's part of ConsumeMetrics, without the next consumer. All points of the batch must pass.
func (r *rig) decide(md pmetric.Metrics) {
	batch := r.process(context.Background(), md)
	batch.Commit()
	r.telemetry.countFolded()
	batch.End()
}

type noMetadata struct{}

func (noMetadata) Get(string) []string { return nil }

func BenchmarkProcessor(b *testing.B) {
	for _, c := range []struct {
		attributes, tracked int
		distinct            bool // every value differs from that of the point before
	}{{5, 0, false}, {5, 0, true}, {15, 0, false}, {15, 0, true}, {5, 1_000, false}} {
		b.Run(fmt.Sprintf("admitted/%d_attributes/distinct_%t/%d_tracked", c.attributes, c.distinct, c.tracked), func(b *testing.B) {
			r := newRig(b, nil)
			if c.tracked > 0 {
				r.track(c.tracked)
			}
			md := thousand(r, c.attributes)
			if c.distinct {
				makeDistinct(md)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.decide(md)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
		})
	}
	for _, goroutines := range []int{2, 8} { // all share every key
		b.Run(fmt.Sprintf("admitted/5_attributes/goroutines=%d", goroutines), func(b *testing.B) {
			r := newRig(b, nil)
			b.SetParallelism(max(goroutines/runtime.GOMAXPROCS(0), 1))
			b.RunParallel(func(pb *testing.PB) {
				md := thousand(r, 5)
				for pb.Next() {
					r.decide(md)
				}
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
		})
	}
	b.Run("overflowing/5_attributes", func(b *testing.B) {
		r := newRig(b, func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
		md := thousand(r, 5)
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			c := pmetric.NewMetrics()
			md.CopyTo(c)
			b.StartTimer()
			batch := r.process(context.Background(), c)
			batch.Commit()
			batch.End()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
	})
}

// BenchmarkRequest measures the processor's part of a request of few points, which all pass, under the limits and a label rule as
// gateway.yaml has them.
func BenchmarkRequest(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("points=%d", n), func(b *testing.B) {
			r := newRig(b, func(c *Config) {
				c.Limits = []LimitConfig{limitOf(500, "overflow", "resource.service.name", "metric.name"), limitOf(20_000, "drop", "resource.service.name"), limitOf(100_000, "drop")}
				for i, name := range []string{"metric", "service", "total"} {
					c.Limits[i].Name = name
				}
				c.Limits[1].Count, c.Limits[2].Count, c.Limits[2].Key = countStreams, countStreams, []string{}
				c.Labels = []LabelsConfig{ruleOf(`(http|rpc)\..*`, "user.id")}
			})
			in := newBatch("orders")
			points := in.sum("requests", delta, true)
			for i := range n {
				put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				r.decide(in.md)
			}
		})
	}
}

func makeDistinct(md pmetric.Metrics) {
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		for i, p := range m.Sum().DataPoints().All() {
			for _, v := range p.Attributes().All() {
				v.SetStr(fmt.Sprintf("value-%03d", i))
			}
		}
	}
}

// requireFewAllocs walks a batch of 1,000 known points and fails if that allocates for each of them.
func (r *rig) requireFewAllocs(t *testing.T, md pmetric.Metrics) {
	t.Helper()
	walk := func() {
		c := r.set.Begin(noMetadata{})
		w := r.newWalker(c)
		w.walk(md)
		b := w.detach()
		w.end()
		c.End()
		b.Commit()
		b.End()
	}
	walk()
	allocs := testing.AllocsPerRun(50, walk)
	t.Logf("%.1f allocations a batch of 1,000 points", allocs)
	require.LessOrEqual(t, allocs, maxAllocs())
	require.Equal(t, 1_000, md.DataPointCount())
}
