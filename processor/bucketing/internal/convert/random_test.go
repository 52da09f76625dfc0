package convert_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

var (
	latency = []float64{0, 10, 50, 100, 500}
	otel    = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}
)

// rules returns a rule per target, and some with each variation.
func rules() []*convert.Rule {
	explicit := func(bounds ...float64) *convert.Explicit {
		return &convert.Explicit{Bounds: map[string][]float64{"": bounds}}
	}
	all := []*convert.Rule{
		{Explicit: explicit(latency...), Split: rebucket.PCHIP},
		{Explicit: explicit(-3, -1, 0.5, 7.25, 33, 1e6)},
		{Explicit: explicit(1, 2, 4, 8, 16), Split: rebucket.Linear},
		{Explicit: explicit(5), Split: rebucket.Upper},
		{Explicit: explicit(-7, 7), Split: rebucket.Midpoint},
		{Exponential: &convert.Exponential{MaxScale: 8, MaxSize: 160}, Split: rebucket.PCHIP},
		{Exponential: &convert.Exponential{MaxScale: 20, MaxSize: 7, ZeroThreshold: 0.3}},
		{Exponential: &convert.Exponential{MaxScale: -1, MaxSize: 2}},
		{Limit: &convert.Limit{MaxBuckets: 31}},
		{Limit: &convert.Limit{MaxBuckets: 5, Pin: []float64{50}}},
		{Limit: &convert.Limit{MaxBuckets: 7, MinError: true, Pin: []float64{50}}},
	}
	for i, r := range all {
		r.Index, r.WorkingScale = i, 2
	}
	return all
}

func newOrigin() *convert.Origin {
	return &convert.Origin{Resource: pcommon.NewResource(), Scope: pcommon.NewInstrumentationScope()}
}

func newReport() *convert.Report {
	r := new(convert.Report)
	r.Reset(len(rules()))
	return r
}

func randomCounts(rng *rand.Rand, n int) (counts []uint64, total uint64) {
	counts = make([]uint64, n)
	for _, i := range rng.Perm(n) {
		if room := math.MaxUint64 - total; rng.IntN(4) > 0 && room > 0 {
			counts[i] = rng.Uint64N(room) >> rng.IntN(64)
			total += counts[i]
		}
	}
	return counts, total
}

// odd are floats whose bits a conversion may lose.
var odd = []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1.1}

func fill(rng *rand.Rand, p histpoint.Point, id int) {
	p.Attributes().PutInt("id", int64(id))
	p.Attributes().PutStr("route", "/cart")
	p.SetStartTimestamp(pcommon.Timestamp(rng.Uint64()))
	p.SetTimestamp(pcommon.Timestamp(rng.Uint64()))
	p.SetFlags(pmetric.DataPointFlags(rng.Uint32() &^ 1))
	if rng.IntN(4) > 0 {
		p.SetSum(odd[rng.IntN(len(odd))])
	}
	if rng.IntN(2) == 0 {
		p.SetMin(odd[rng.IntN(len(odd))])
	}
	if rng.IntN(2) == 0 {
		p.SetMax(odd[rng.IntN(len(odd))])
	}
	for range rng.IntN(3) {
		e := p.Exemplars().AppendEmpty()
		e.SetDoubleValue(rng.Float64())
		e.SetTraceID(pcommon.TraceID{byte(id)})
		e.FilteredAttributes().PutStr("k", "v")
	}
}

// fields has all fields of a point other than the layout, in a form that compares bits.
type fields struct {
	attributes       map[string]any
	exemplars        []any
	start, timestamp pcommon.Timestamp
	flags            pmetric.DataPointFlags
	count            uint64
	sum, min, max    [2]uint64 // presence and bits
}

func fieldsOf(p histpoint.Point) fields {
	optional := func(has bool, v float64) [2]uint64 {
		if !has {
			return [2]uint64{}
		}
		return [2]uint64{1, math.Float64bits(v)}
	}
	f := fields{
		attributes: p.Attributes().AsRaw(),
		start:      p.StartTimestamp(), timestamp: p.Timestamp(), flags: p.Flags(), count: p.Count(),
		sum: optional(p.HasSum(), p.Sum()), min: optional(p.HasMin(), p.Min()), max: optional(p.HasMax(), p.Max()),
	}
	for _, e := range p.Exemplars().All() {
		f.exemplars = append(f.exemplars, e.DoubleValue(), e.TraceID(), e.FilteredAttributes().AsRaw())
	}
	return f
}

func randomExplicit(rng *rand.Rand, dp pmetric.HistogramDataPoint) {
	set := map[float64]bool{rng.Float64(): true}
	for range rng.IntN(20) {
		switch rng.IntN(4) {
		case 0:
			set[otel[rng.IntN(len(otel))]] = true
		case 1:
			set[-math.Exp(rng.NormFloat64()*4)] = true
		default:
			set[math.Exp(rng.NormFloat64()*4)] = true
		}
	}
	bounds := make([]float64, 0, len(set))
	for b := range set {
		bounds = append(bounds, b)
	}
	slices.Sort(bounds)
	counts, total := randomCounts(rng, len(bounds)+1)
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(counts)
	dp.SetCount(total)
}

func randomExponential(rng *rand.Rand, dp pmetric.ExponentialHistogramDataPoint) {
	n, m := rng.IntN(200), rng.IntN(20)
	counts, total := randomCounts(rng, n+m+1)
	dp.SetScale(rng.Int32N(31) - 10)
	if rng.IntN(16) == 0 { // untrusted
		dp.SetScale([]int32{math.MinInt32, math.MinInt32 + 2, -11, 21, math.MaxInt32}[rng.IntN(5)])
	}
	offset := func() int32 {
		if rng.IntN(8) == 0 { // untrusted
			return []int32{math.MinInt32, -1 << 20, 1 << 20, math.MaxInt32 - 300}[rng.IntN(4)]
		}
		return rng.Int32N(801) - 400
	}
	dp.Positive().SetOffset(offset())
	dp.Positive().BucketCounts().FromRaw(counts[:n])
	dp.Negative().SetOffset(offset())
	dp.Negative().BucketCounts().FromRaw(counts[n : n+m])
	dp.SetZeroCount(counts[n+m])
	if rng.IntN(2) == 0 {
		dp.SetZeroThreshold(math.Exp(rng.NormFloat64() * 4))
	}
	dp.SetCount(total)
}

// metric returns a metric with points of one kind. fill sets each of them.
func newMetrics() (pmetric.MetricSlice, pmetric.Metric) {
	metrics := pmetric.NewMetricSlice()
	m := metrics.AppendEmpty()
	m.SetName("order.process_time")
	m.SetUnit("ms")
	m.SetDescription("how long")
	m.Metadata().PutStr("k", "v")
	return metrics, m
}
