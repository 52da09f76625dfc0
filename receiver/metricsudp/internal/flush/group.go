package flush

import (
	"slices"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// groups orders items by their metrics. If a flush has several batches of an origin, each metric is then in few of them.
type groups[T any] struct {
	metricOf func(*T) *series.Metric
	other    []T              // buffer
	metrics  []*series.Metric // buffer
}

// order orders items by metric, in the order of the metrics' first items. Items of one metric keep their order. The result
// replaces items. If all items fit into one batch, it does nothing.
func (g *groups[T]) order(items []T) []T {
	if len(items) <= batchPoints {
		return items
	}
	for i := range items {
		m := g.metricOf(&items[i])
		if m.GroupPosition == 0 {
			g.metrics = append(g.metrics, m)
		}
		m.GroupPosition++
	}
	end := 0
	for _, m := range g.metrics {
		m.GroupPosition, end = end, end+m.GroupPosition // the index of its next item
	}
	ordered := slices.Grow(g.other[:0], len(items))[:len(items)]
	for i := range items {
		m := g.metricOf(&items[i])
		ordered[m.GroupPosition] = items[i]
		m.GroupPosition++
	}
	for _, m := range g.metrics {
		m.GroupPosition = 0
	}
	clear(g.metrics)
	g.metrics = g.metrics[:0]
	clear(items) // so that the buffer keeps no removed series in memory
	g.other = items[:0]
	return ordered
}

func metricOfSeries(s **series.Series) *series.Metric { return (*s).Metric }

func metricOfTimed(p *series.TimedPoint) *series.Metric { return p.Series.Metric }
