package series

import (
	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/quantile"
)

// summaries is the aggregator of summaries with the same percentiles.
type summaries struct {
	percentiles []float64
	blocks      *pool[*block]
	sketches    *pool[*histogram]
	sorted      quantile.Samples // of the series being emitted; the flusher's
}

func newSummaries(tables int, b *budget.Budget, percentiles []float64) *summaries {
	return &summaries{
		percentiles: percentiles,
		blocks:      newPool(b, tables, func() *block { return new(block) }),
		sketches:    newPool(b, tables, func() *histogram { return newHistogram(sketchBuckets) }),
		sorted:      make(quantile.Samples, 0, MaxSamples),
	}
}

func (a *summaries) aggregation() Aggregation { return Summary }

func (a *summaries) local(table int) *local {
	var x struct {
		local
		summaryShare
	}
	x.blocks, x.sketches = &a.blocks.caches[table], &a.sketches.caches[table]
	x.share = &x.summaryShare
	return &x.local
}

func (a *summaries) localBytes() int { return 128 }

func (a *summaries) value() value { return &SummaryValue{aggregator: a} }

func (a *summaries) trim() {
	a.blocks.trim()
	a.sketches.trim()
}

type summaryShare struct {
	blocks   *cache[*block]
	sketches *cache[*histogram]
	halves   [2]samples
}

var _ share = (*summaryShare)(nil)

func (s *summaryShare) add(half int, l *line.Line, _ int64, t *Table, must bool) bool {
	to, b := &s.halves[half], t.registry.budget
	if to.sketch == nil {
		if to.n+len(l.Values) <= MaxSamples {
			return to.keep(l.Values, 1/l.Rate, s.blocks, must)
		}
		sketch := s.sketches.take(must)
		if sketch == nil {
			return false
		}
		if !to.condense(sketch, s.blocks.pool, b, must) {
			s.sketches.pool.put(sketch)
			return false
		}
	}
	if !to.sketch.admit(anyNegative(l.Values), b, must) {
		return false
	}
	for i := range l.Values {
		to.count(quantile.Sample{Value: l.Values[i].Float, Weight: 1 / l.Rate})
	}
	return true
}

// SummaryValue is a timer, histogram or distribution of which quantiles are wanted.
type SummaryValue struct {
	aggregator *summaries
	samples
}

var _ value = (*SummaryValue)(nil)

// merge is exact while there are at most MaxSamples, and past that the same sketch
// whichever reader had which values.
func (v *SummaryValue) merge(from share, half int) bool {
	s := &from.(*summaryShare).halves[half]
	a := v.aggregator
	v.take(&s.carry)
	if s.empty() { // or refused its first value
		s.putBlocks(a.blocks)
		v.putSketch(s)
		return false
	}
	if v.sketch == nil && s.sketch == nil && v.n+s.n <= MaxSamples {
		v.append(s)
		return true
	}
	sketch := v.sketch
	if sketch == nil {
		sketch, s.sketch = s.sketch, nil
	}
	if sketch == nil {
		sketch = a.sketches.force()
	}
	v.append(s)
	v.condense(sketch, a.blocks, a.sketches.budget, true)
	if s.sketch != nil {
		v.sketch.absorb(s.sketch, a.sketches.budget)
		v.putSketch(s)
	}
	return true
}

func (v *SummaryValue) putSketch(of *samples) {
	if of.sketch != nil {
		v.aggregator.sketches.put(of.sketch)
		of.sketch = nil
	}
}

func (v *SummaryValue) settle() {
	if v.sketch != nil {
		v.sketch.Record(v.value, v.carry.settle())
	}
}

// clear keeps the fraction of the count that is carried to the next interval.
func (v *SummaryValue) clear() {
	v.putBlocks(v.aggregator.blocks)
	v.putSketch(&v.samples)
}

// Totals ends the interval: it returns the values' count and sum, and Quantiles are
// those of these values until another summary's Totals are asked for. What the
// weights' sum has beyond a whole number counts in the next interval.
func (v *SummaryValue) Totals() (count uint64, sum float64) {
	if v.sketch != nil {
		return v.sketch.Count, v.sketch.Sum
	}
	a := v.aggregator
	a.sorted = a.sorted[:0]
	for sample := range v.each {
		a.sorted = append(a.sorted, sample)
		sum += sample.Value * sample.Weight
	}
	if weight := a.sorted.Accumulate(); weight > 0 {
		count = v.whole(a.sorted[len(a.sorted)-1].Value, weight)
	}
	return count, sum
}

// Quantiles calls yield with each quantile, 0 to 1, and its value.
func (v *SummaryValue) Quantiles(yield func(q, value float64) bool) {
	if v.empty() {
		return
	}
	for _, p := range v.aggregator.percentiles {
		q := p / 100
		if !yield(q, v.at(q)) {
			return
		}
	}
}

func (v *SummaryValue) at(q float64) float64 {
	if v.sketch != nil {
		return quantile.Of(&v.sketch.Histogram, q)
	}
	return v.aggregator.sorted.At(q)
}
