package series

import (
	"regexp"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Observer configures the aggregation of timers, histograms or distributions. The zero value is an exponential histogram of
// MaxBuckets.
type Observer struct {
	Aggregation Aggregation       // Distribution, Summary or Each
	MaxSize     int               // buckets per sign of a Distribution; 0 means MaxBuckets
	Explicit    []ExplicitBuckets // of a Distribution; the first entry that matches the metric's name applies
	Percentiles []float64         // of a Summary, from 0 to 100
}

// ExplicitBuckets are bucket bounds for metrics whose name matches.
type ExplicitBuckets struct {
	Name   *regexp.Regexp
	Bounds []float64 // increasing
}

// aggregators are the aggregators of a registry: one per configuration.
type aggregators struct {
	kinds [line.Kinds]aggregator // by kind of line, for names without a match in named
	named [line.Kinds][]named
	all   []aggregator // that have pools to trim
}

type named struct {
	name *regexp.Regexp
	aggregator
}

func newAggregators(o *Options, b *budget.Budget) *aggregators {
	a := &aggregators{}
	a.kinds[line.Counter] = sums{}
	a.kinds[line.Gauge] = lasts{o.SignedGauges}
	a.kinds[line.Set] = a.add(newUniques(o, b))
	bySize := map[int]aggregator{}
	for _, kind := range []line.Kind{line.Timer, line.Histogram, line.Distribution} {
		observer := &o.Observers[kind]
		switch observer.Aggregation {
		case Summary:
			a.kinds[kind] = a.add(newSummaries(o.Tables, b, observer.Percentiles))
		case Each:
			a.kinds[kind] = eaches{}
		default:
			size := observer.MaxSize
			if size == 0 {
				size = MaxBuckets
			}
			if bySize[size] == nil {
				bySize[size] = a.add(newDistributions(o.Tables, b, size))
			}
			a.kinds[kind] = bySize[size]
		}
		for _, e := range observer.Explicit {
			a.named[kind] = append(a.named[kind], named{e.Name, a.add(newExplicits(o.Tables, b, e.Bounds))})
		}
	}
	return a
}

func (a *aggregators) add(one aggregator) aggregator {
	a.all = append(a.all, one)
	return one
}

func (a *aggregators) forMetric(id metricID) aggregator {
	for i := range a.named[id.kind] {
		if n := &a.named[id.kind][i]; n.name.MatchString(id.name) {
			return n.aggregator
		}
	}
	return a.kinds[id.kind]
}

func (a *aggregators) trim() {
	for _, one := range a.all {
		one.trim()
	}
}
