package fold

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/floats"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// Readable means that a value can be folded. It is not an index of Stats.
const Readable = StatCount

// ReadNumber copies the value of p without exemplars. If the value cannot be folded, the Stat is the reason. Otherwise it is
// Readable. The other Read functions do the same. Package histpoint defines valid histograms.
func ReadNumber(p pmetric.NumberDataPoint) (Value, Stat) {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return Value{&number{i: p.IntValue()}}, Readable
	}
	f := p.DoubleValue()
	if !floats.IsFinite(f) {
		return Value{}, StatNonFinite
	}
	return Value{&number{double: true, f: f}}, Readable
}

// ReadHistogram copies the value of p.
func ReadHistogram(p pmetric.HistogramDataPoint) (Value, Stat) {
	t := finiteTotals(histpoint.TotalsOf(p))
	var e histpoint.Explicit
	if _, err := histpoint.LoadExplicit(&e, p); err != nil {
		return Value{}, StatMalformed
	}
	return Value{&histogram{
		count: e.Count, sum: t.Sum, min: t.Min, max: t.Max, hasSum: t.HasSum, hasMin: t.HasMin, hasMax: t.HasMax,
		bounds: e.Bounds, counts: e.Counts,
	}}, Readable
}

// ReadExponential copies the value of p with at most maxBuckets per sign.
func ReadExponential(p pmetric.ExponentialHistogramDataPoint) (Value, Stat) {
	t := finiteTotals(histpoint.TotalsOf(p))
	var from expo.Histogram
	if err := histpoint.LoadExponential(&from, p); err != nil {
		return Value{}, StatMalformed
	}
	from.Sum, from.Min, from.Max = t.Sum, t.Min, t.Max
	m := &exponential{Histogram: expo.New(maxBuckets), hasSum: t.HasSum, hasMin: t.HasMin, hasMax: t.HasMax}
	m.ZeroThreshold = from.ZeroThreshold
	m.Merge(&from)
	return Value{m}, Readable
}

// ReadSummary copies count and sum of p. Quantiles cannot be added.
func ReadSummary(p pmetric.SummaryDataPoint) (Value, Stat) {
	if !floats.IsFinite(p.Sum()) {
		return Value{}, StatNonFinite
	}
	return Value{&histogram{
		count: p.Count(), sum: p.Sum(), hasSum: true,
		min: math.Inf(1), max: math.Inf(-1), counts: []uint64{p.Count()},
	}}, Readable
}

// finiteTotals leaves out totals that are not finite. An observation that is NaN spoils the sum and not the counts.
func finiteTotals(t histpoint.Totals) histpoint.Totals {
	if !floats.IsFinite(t.Sum) {
		t.Sum, t.HasSum = 0, false
	}
	if t.HasMin && !floats.IsFinite(t.Min) {
		t.Min, t.HasMin = math.Inf(1), false
	}
	if t.HasMax && !floats.IsFinite(t.Max) {
		t.Max, t.HasMax = math.Inf(-1), false
	}
	return t
}

// WriteNumber sets the value of p.
func WriteNumber(v Value, p pmetric.NumberDataPoint) {
	if n := v.measure.(*number); n.double {
		p.SetDoubleValue(n.f)
	} else {
		p.SetIntValue(n.i)
	}
}

// WriteHistogram sets the value of p. It sets minimum and maximum only if all parts had one.
func WriteHistogram(v Value, p pmetric.HistogramDataPoint) {
	h := v.measure.(*histogram)
	histpoint.StoreExplicit(p, &histpoint.Explicit{Bounds: h.bounds, Counts: h.counts, Count: h.count})
	histpoint.SetTotals(p, histpoint.Totals{
		Sum: h.sum, Min: h.min, Max: h.max, HasSum: h.hasSum, HasMin: h.hasMin, HasMax: h.hasMax,
	})
}

// WriteExponential sets the value of p as WriteHistogram does.
func WriteExponential(v Value, p pmetric.ExponentialHistogramDataPoint) {
	h := v.measure.(*exponential)
	histpoint.StoreExponential(p, h.Histogram)
	histpoint.SetTotals(p, histpoint.Totals{
		Sum: h.Sum, Min: h.Min, Max: h.Max, HasSum: h.hasSum, HasMin: h.hasMin, HasMax: h.hasMax,
	})
}

// WriteSummary sets count and sum of p. It removes the quantiles unless p already has the same count and sum.
func WriteSummary(v Value, p pmetric.SummaryDataPoint) {
	h := v.measure.(*histogram)
	if h.count != p.Count() || h.sum != p.Sum() {
		p.QuantileValues().RemoveIf(func(pmetric.SummaryDataPointValueAtQuantile) bool { return true })
	}
	p.SetCount(h.count)
	p.SetSum(h.sum)
}
