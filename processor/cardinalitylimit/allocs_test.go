package cardinalitylimit

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// thousand is a batch of 1,000 points with n attributes each.
func thousand(r *rig, n int) pmetric.Metrics {
	b := newBatch("orders")
	for m := range 10 {
		points := b.sum(fmt.Sprint("requests", m), cumulative, true)
		for i := range 100 {
			p := put(points, 1, r.clock.now(), r.clock.now(), "id", fmt.Sprint(i))
			for a := range n - 1 {
				p.Attributes().PutStr(fmt.Sprint("attribute.", a), fmt.Sprint("value-", a))
			}
		}
	}
	return b.md
}

// What a batch allocates does not grow with its admitted points.
func TestAllocsPerAdmittedPoint(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"default": nil,
		"three limits": func(c *Config) {
			label := defaultLimit
			label.Name, label.Key, label.MaxValues, label.Action = "label", []string{"metric.name"}, 200, "strip"
			pod := limitOf(100_000, "drop", "attribute.id")
			pod.Name, pod.Count = "pod", countStreams
			c.Limits = []LimitConfig{defaultLimits[0], pod, label}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, edit)
			md := thousand(r, 5)
			walk := func() {
				c := r.set.Begin(noMetadata{})
				b := r.table.Batch()
				w := walker{limiter: r.limiter, cursor: c, batch: b}
				w.walk(md)
				c.End()
			}
			walk()
			allocs := testing.AllocsPerRun(50, walk)
			t.Logf("%.1f allocations a batch of 1,000 points", allocs)
			require.Less(t, allocs, 20.0)
			require.Equal(t, 1_000, md.DataPointCount())
		})
	}
}

type noMetadata struct{}

func (noMetadata) Get(string) []string { return nil }

func BenchmarkProcessor(b *testing.B) {
	for _, attributes := range []int{5, 15} {
		b.Run(fmt.Sprintf("admitted/%d_attributes", attributes), func(b *testing.B) {
			r := newRig(b, nil)
			md := thousand(r, attributes)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.process(context.WithValue(ctx, batchKey{}, r.table.Batch()), md); err != nil {
					b.Fatal(err)
				}
			}
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
			batch := r.table.Batch()
			if _, err := r.process(context.WithValue(context.Background(), batchKey{}, batch), c); err != nil {
				b.Fatal(err)
			}
			batch.Commit()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
	})
}
