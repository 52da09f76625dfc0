package fold

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// ReadNumber copies the value of p, without exemplars. The Stats are zero, or count what is wrong with a
// value that cannot be folded; so it is with the other Read functions.
func ReadNumber(p pmetric.NumberDataPoint) (Value, Stats) {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return Value{&number{i: p.IntValue()}}, Stats{}
	}
	f := p.DoubleValue()
	if !finite(f) {
		return Value{}, Stats{NonFinite: 1}
	}
	return Value{&number{double: true, f: f}}, Stats{}
}

// ReadHistogram copies the value of p.
func ReadHistogram(p pmetric.HistogramDataPoint) (Value, Stats) {
	if !finite(p.Sum()) || !finite(p.Min()) || !finite(p.Max()) {
		return Value{}, Stats{NonFinite: 1}
	}
	h := &histogram{
		count: p.Count(), sum: p.Sum(), hasSum: p.HasSum(),
		min: math.Inf(1), max: math.Inf(-1), hasMin: p.HasMin(), hasMax: p.HasMax(),
		bounds: p.ExplicitBounds().AsRaw(), counts: p.BucketCounts().AsRaw(),
	}
	if h.hasMin {
		h.min = p.Min()
	}
	if h.hasMax {
		h.max = p.Max()
	}
	if len(h.counts) == 0 && len(h.bounds) == 0 {
		h.counts = []uint64{h.count} // one bucket from -Inf to +Inf
	}
	if !h.valid() {
		return Value{}, Stats{Malformed: 1}
	}
	return Value{h}, Stats{}
}

func (m *histogram) valid() bool {
	if len(m.counts) != len(m.bounds)+1 {
		return false
	}
	for i, b := range m.bounds {
		if !finite(b) || i > 0 && b <= m.bounds[i-1] {
			return false
		}
	}
	total := uint64(0)
	for _, c := range m.counts {
		total = expo.AddSat(total, c)
	}
	return total == m.count
}

// ReadExponential copies the value of p, at most maxBuckets for each sign.
func ReadExponential(p pmetric.ExponentialHistogramDataPoint) (Value, Stats) {
	if !finite(p.Sum()) || !finite(p.Min()) || !finite(p.Max()) || !finite(p.ZeroThreshold()) {
		return Value{}, Stats{NonFinite: 1}
	}
	from := expo.Histogram{
		Scale: p.Scale(), ZeroThreshold: p.ZeroThreshold(), ZeroCount: p.ZeroCount(),
		Count: p.Count(), Sum: p.Sum(), Min: math.Inf(1), Max: math.Inf(-1),
		Positive: expo.Buckets{Offset: p.Positive().Offset(), Counts: p.Positive().BucketCounts().AsRaw()},
		Negative: expo.Buckets{Offset: p.Negative().Offset(), Counts: p.Negative().BucketCounts().AsRaw()},
	}
	if expo.AddSat(from.ZeroCount, expo.AddSat(from.Positive.Total(), from.Negative.Total())) != from.Count ||
		from.ZeroThreshold < 0 {
		return Value{}, Stats{Malformed: 1}
	}
	if p.HasMin() {
		from.Min = p.Min()
	}
	if p.HasMax() {
		from.Max = p.Max()
	}
	m := &exponential{Histogram: expo.New(maxBuckets), hasSum: p.HasSum(), hasMin: p.HasMin(), hasMax: p.HasMax()}
	m.ZeroThreshold = from.ZeroThreshold
	m.Merge(&from)
	return Value{m}, Stats{}
}

// ReadSummary copies count and sum of p; quantiles cannot be added.
func ReadSummary(p pmetric.SummaryDataPoint) (Value, Stats) {
	if !finite(p.Sum()) {
		return Value{}, Stats{NonFinite: 1}
	}
	return Value{&histogram{
		count: p.Count(), sum: p.Sum(), hasSum: true,
		min: math.Inf(1), max: math.Inf(-1), counts: []uint64{p.Count()},
	}}, Stats{}
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// WriteNumber sets the value of p.
func WriteNumber(v Value, p pmetric.NumberDataPoint) {
	if n := v.measure.(*number); n.double {
		p.SetDoubleValue(n.f)
	} else {
		p.SetIntValue(n.i)
	}
}

// WriteHistogram sets the value of p, minimum and maximum where all parts had one.
func WriteHistogram(v Value, p pmetric.HistogramDataPoint) {
	h := v.measure.(*histogram)
	p.SetCount(h.count)
	p.RemoveSum()
	p.RemoveMin()
	p.RemoveMax()
	if h.hasSum {
		p.SetSum(h.sum)
	}
	if h.hasMin {
		p.SetMin(h.min)
	}
	if h.hasMax {
		p.SetMax(h.max)
	}
	p.ExplicitBounds().FromRaw(h.bounds)
	p.BucketCounts().FromRaw(h.counts)
}

// WriteExponential sets the value of p as WriteHistogram does.
func WriteExponential(v Value, p pmetric.ExponentialHistogramDataPoint) {
	h := v.measure.(*exponential)
	p.SetScale(h.Scale)
	p.SetZeroThreshold(h.ZeroThreshold)
	p.SetZeroCount(h.ZeroCount)
	p.SetCount(h.Count)
	p.RemoveSum()
	p.RemoveMin()
	p.RemoveMax()
	if h.hasSum {
		p.SetSum(h.Sum)
	}
	if h.hasMin {
		p.SetMin(h.Min)
	}
	if h.hasMax {
		p.SetMax(h.Max)
	}
	p.Positive().SetOffset(h.Positive.Offset)
	p.Positive().BucketCounts().FromRaw(slices.Clone(h.Positive.Counts))
	p.Negative().SetOffset(h.Negative.Offset)
	p.Negative().BucketCounts().FromRaw(slices.Clone(h.Negative.Counts))
}

// WriteSummary sets count and sum of p. It takes the quantiles away unless they are
// those of the value, which is what p has already.
func WriteSummary(v Value, p pmetric.SummaryDataPoint) {
	h := v.measure.(*histogram)
	if h.count != p.Count() || h.sum != p.Sum() {
		p.QuantileValues().RemoveIf(func(pmetric.SummaryDataPointValueAtQuantile) bool { return true })
	}
	p.SetCount(h.count)
	p.SetSum(h.sum)
}
