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
	sorted      quantile.Samples // samples of the series that the flusher emits; only the flusher uses them
}

func newSummaries(tables int, b *budget.Budget, percentiles []float64) *summaries {
	return &summaries{
		percentiles: percentiles,
		blocks:      newPool(b, tables, func() *block { return new(block) }),
		sketches:    newPool(b, tables, func() *histogram { return newHistogram(sketchBuckets) }),
		sorted:      make(quantile.Samples, 0, maxSamples),
	}
}

func (a *summaries) aggregation() Aggregation { return Summary }

func (a *summaries) newPart(table int) *part {
	var x struct {
		part
		summaryAccumulator
	}
	x.blocks, x.sketches = &a.blocks.caches[table], &a.sketches.caches[table]
	x.accumulator = &x.summaryAccumulator
	return &x.part
}

func (a *summaries) partSize() int { return 128 }

func (a *summaries) newSeries() *Series { return withValue(SummaryValue{aggregator: a}) }

func (a *summaries) trim() {
	a.blocks.trim()
	a.sketches.trim()
}

type summaryAccumulator struct {
	blocks   *cache[*block]
	sketches *cache[*histogram]
	halves   [2]samples
}

var _ accumulator = (*summaryAccumulator)(nil)

func (s *summaryAccumulator) add(half int, l *line.Line, _ int64, t *Table, forced bool) bool {
	to, payer := &s.halves[half], account{t.registry.budget, forced}
	if to.sketch == nil {
		if to.n+len(l.Values) <= maxSamples {
			return to.keep(l.Values, 1/l.Rate, s.blocks, payer)
		}
		sketch := s.sketches.get(payer)
		if sketch == nil {
			return false
		}
		if !to.condense(sketch, s.blocks.pool, payer) {
			s.sketches.pool.put(sketch)
			return false
		}
	}
	if !to.sketch.admit(anyNegative(l.Values), payer) {
		return false
	}
	for i := range l.Values {
		to.count(quantile.Sample{Value: l.Values[i].Float, Weight: 1 / l.Rate})
	}
	return true
}

// SummaryValue is a timer, histogram or distribution with configured quantiles.
type SummaryValue struct {
	aggregator *summaries
	samples
}

var _ value = (*SummaryValue)(nil)

// merge keeps up to maxSamples unchanged. With more it counts all in a sketch. The sketch does not depend on which reader
// received which values.
func (v *SummaryValue) merge(from accumulator, half int) bool {
	s := &from.(*summaryAccumulator).halves[half]
	a := v.aggregator
	v.addCarry(&s.carry)
	if s.empty() { // also if the budget refused the first value
		s.putBlocks(a.blocks)
		v.putSketch(s)
		return false
	}
	if v.sketch == nil && s.sketch == nil && v.n+s.n <= maxSamples {
		v.append(s)
		return true
	}
	sketch := v.sketch
	if sketch == nil {
		sketch, s.sketch = s.sketch, nil
	}
	if sketch == nil {
		sketch = a.sketches.get()
	}
	v.append(s)
	v.condense(sketch, a.blocks, account{a.sketches.budget, true})
	if s.sketch != nil {
		v.sketch.absorb(s.sketch, a.sketches.budget)
		v.putSketch(s)
	}
	return true
}

func (v *SummaryValue) putSketch(from *samples) {
	if from.sketch != nil {
		v.aggregator.sketches.put(from.sketch)
		from.sketch = nil
	}
}

func (v *SummaryValue) finishMerge() {
	if v.sketch != nil {
		v.sketch.Record(v.value, v.removeWhole())
	}
}

// clear keeps the fraction of the count that is carried over to the next interval.
func (v *SummaryValue) clear() {
	v.putBlocks(v.aggregator.blocks)
	v.putSketch(&v.samples)
}

// Totals ends the interval and returns the count and the sum of its values. It also prepares Quantiles, whose results are valid
// until Totals of another summary is called. The fraction of the weights' sum is carried over to the next interval.
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
		return quantile.FromHistogram(&v.sketch.Histogram, q)
	}
	return v.aggregator.sorted.At(q)
}
