// Package selfcount counts for the Collector's own metrics. To count costs one atomic instruction. The counters of the SDK get the sums
// when the Collector reads its metrics.
//
// An addition to a counter of the SDK checks and looks up its labels each time. With the context of a request it also looks for the
// request's span and, if the span is sampled, which zPages causes, records an exemplar. For a request of ten points a few additions cost
// as much as the decisions on the points.
package selfcount

import (
	"context"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
)

// Counter counts for one label set of a metric. It is safe for concurrent use.
type Counter struct {
	total    atomic.Int64
	reported int64 // part of total that the metric has; guarded by Group.mu
	metric   metric.Int64Counter
	labels   metric.MeasurementOption
}

// Add adds n, which must not be negative.
func (c *Counter) Add(n int64) {
	if n != 0 { // most counts of a batch are
		c.total.Add(n)
	}
}

// Total returns the sum of all additions.
func (c *Counter) Total() int64 { return c.total.Load() }

// Group contains the counters of a component. It is safe for concurrent use.
type Group struct {
	mu       sync.Mutex
	counters []*Counter
	batches  atomic.Uint64
	closed   atomic.Bool
}

// reportEvery is the number of batches after which they are reported, in case a view drops all metrics whose callbacks report.
const reportEvery = 64

// EndBatch ends a batch. After Close it reports.
func (g *Group) EndBatch() {
	if g.batches.Add(1)%reportEvery == 0 || g.closed.Load() {
		g.Report()
	}
}

// Close reports. A component calls it at its shutdown, when the callbacks end.
func (g *Group) Close() {
	g.closed.Store(true)
	g.Report()
}

// Counter returns a new counter for a metric with these labels.
func (g *Group) Counter(m metric.Int64Counter, labels metric.MeasurementOption) *Counter {
	c := &Counter{metric: m, labels: labels}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counters = append(g.counters, c)
	return c
}

// Report adds to the metrics what was counted since the last call. A component calls it in the callbacks of its observable metrics,
// which the SDK calls before it reads any metric.
func (g *Group) Report() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.counters {
		total := c.total.Load()
		if n := total - c.reported; n > 0 {
			c.metric.Add(context.Background(), n, c.labels)
			c.reported = total
		}
	}
}
