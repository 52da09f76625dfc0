package fold

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// DecodeCut reads a cut.
func DecodeCut(d *snapshot.Decoder) (*Cut, error) {
	r := &cutDecoder{Decoder: d}
	c := &Cut{number: restoredCut, at: d.Int(), origin: d.Int(), unknownUntil: d.Int()}
	r.at = c.at
	for i := range c.forgotten.words {
		c.forgotten.words[i], c.forgotten.newest[i] = d.Words(), d.Int()
	}
	c.forgotten.added = int(min(d.Uint(), math.MaxInt32))
	for range d.Len(minFrozenWriter) {
		c.writers = append(c.writers, r.writer())
	}
	for range d.Len(minFrozen) {
		c.accumulators = append(c.accumulators, r.accumulator())
		if err := d.Err(); err != nil {
			return nil, err
		}
	}
	for range d.Len(minFrozenStream) {
		s := frozenStream{id: d.Fixed()}
		if s.to = r.owner(c); s.to == nil {
			return nil, d.Err()
		}
		s.start, s.time, s.seen, s.floor = r.time(), r.time(), r.time(), r.time()
		s.ended, s.admitted, s.uncertain = d.Bool(), d.Bool(), d.Bool()
		if d.Bool() {
			s.passAfterCut = restoredCut
		}
		s.writer, s.serial, s.streak = d.Fixed(), r.uint32(), uint8(min(d.Uint(), steadyAfter))
		s.interval = d.Int()
		s.last, s.offset = r.measure(s.to), r.measure(s.to)
		s.others = r.origins(s.to)
		if s.last == nil || !s.to.repeats() {
			d.Fail()
		}
		if err := d.Err(); err != nil {
			return nil, err
		}
		c.streams = append(c.streams, s)
	}
	for range d.Len(minOutgoing) {
		k := outgoing{from: r.owner(c)}
		if d.Err() != nil {
			return nil, d.Err()
		}
		k.start, k.time = r.time(), r.time()
		if k.value = r.measure(k.from); k.value == nil || k.from.repeats() {
			d.Fail()
		}
		c.refused = append(c.refused, k)
	}
	return c, d.Done()
}

// The minimum sizes of encoded elements bound the number of elements that are allocated.
const (
	minFrozen       = 35
	minFrozenStream = 31
	minFrozenWriter = 17
	minOutgoing     = 4
)

// restoredCut is the number of the cut that a table begins with.
const restoredCut = 1

type cutDecoder struct {
	*snapshot.Decoder
	at     int64
	bounds []float64 // bounds of the histogram before; they are shared, because bounds are never written
}

func (r *cutDecoder) writer() frozenWriter {
	return frozenWriter{id: r.Fixed(), writer: writer{
		before: r.time(), last: r.time(), begun: r.uint32(), seen: r.uint32(), serial: r.uint32(), points: r.uint32(), previous: r.uint32(),
		reference: math.Float32frombits(r.uint32()), barred: uint8(min(r.Uint(), barredFor)),
	}}
}

func (r *cutDecoder) origins(to *accumulator) []origin {
	n := r.Uint()
	if n > maxOthers {
		r.Fail()
		return nil
	}
	var others []origin
	for range n {
		o := origin{start: r.time(), time: r.time(), floor: r.time(), uncertain: r.Bool(), last: r.measure(to), offset: r.measure(to)}
		if o.last == nil {
			r.Fail()
			return nil
		}
		others = append(others, o)
	}
	return others
}

func (r *cutDecoder) uint32() uint32 {
	v := r.Uint()
	if v > math.MaxUint32 {
		r.Fail()
	}
	return uint32(v)
}

// owner reads the accumulator that an element belongs to, or returns nil.
func (r *cutDecoder) owner(c *Cut) *accumulator {
	at := r.Uint()
	if at >= uint64(len(c.accumulators)) {
		r.Fail()
		return nil
	}
	return c.accumulators[at].accumulator
}

func (r *cutDecoder) time() int64 { return r.Int() + r.at }

func (r *cutDecoder) accumulator() frozen {
	a := &accumulator{id: r.Fixed()}
	a.series.Group, a.series.Metric = r.Fixed(), r.Fixed()
	a.method = method(r.Uint())
	if gauge := r.Uint(); gauge <= uint64(GaugeSum) {
		a.series.Gauge = Gauge(gauge)
	} else {
		r.Fail()
	}
	unsent := r.Bool()
	a.origin = r.time()
	f := frozen{
		accumulator: a, unsent: unsent,
		earliest: r.time(), newest: r.time(), emitted: r.time(), seen: r.time(),
	}
	if n := r.Len(2); n > 0 {
		a.series.Metadata = make(map[string][]string, n)
		for range n {
			k := r.Text()
			for range r.Len(1) {
				a.series.Metadata[k] = append(a.series.Metadata[k], r.Text())
			}
		}
	}
	if text := r.Text(); r.Err() == nil && !a.series.unmarshal(text) {
		r.Fail()
	}
	f.cutValue = r.measure(a)
	return f
}

// unmarshal reads the output of marshal. It returns false if the text is not such an output.
func (s *Series) unmarshal(text string) bool {
	md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics([]byte(text))
	if err != nil || md.ResourceMetrics().Len() != 1 || md.DataPointCount() != 1 {
		return false
	}
	rm := md.ResourceMetrics().At(0)
	if rm.ScopeMetrics().Len() != 1 || rm.ScopeMetrics().At(0).Metrics().Len() != 1 {
		return false
	}
	m := rm.ScopeMetrics().At(0).Metrics().At(0)
	s.Resource, s.Scope, s.Attributes = pcommon.NewResource(), pcommon.NewInstrumentationScope(), pcommon.NewMap()
	rm.Resource().CopyTo(s.Resource)
	rm.ScopeMetrics().At(0).Scope().CopyTo(s.Scope)
	s.Name, s.Description, s.Unit, s.Type = m.Name(), m.Description(), m.Unit(), m.Type()
	switch s.Type {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().At(0).Attributes().CopyTo(s.Attributes)
	case pmetric.MetricTypeSum:
		s.Temporality, s.Monotonic = m.Sum().AggregationTemporality(), m.Sum().IsMonotonic()
		m.Sum().DataPoints().At(0).Attributes().CopyTo(s.Attributes)
	case pmetric.MetricTypeHistogram:
		s.Temporality = m.Histogram().AggregationTemporality()
		m.Histogram().DataPoints().At(0).Attributes().CopyTo(s.Attributes)
	case pmetric.MetricTypeExponentialHistogram:
		s.Temporality = m.ExponentialHistogram().AggregationTemporality()
		m.ExponentialHistogram().DataPoints().At(0).Attributes().CopyTo(s.Attributes)
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().At(0).Attributes().CopyTo(s.Attributes)
	}
	return true
}

// measure reads a measure of the kind that a has.
func (r *cutDecoder) measure(a *accumulator) measure {
	kind := r.Uint()
	var fits bool
	switch a.series.Type {
	case pmetric.MetricTypeHistogram, pmetric.MetricTypeSummary:
		fits = kind == histogramMeasure
	case pmetric.MetricTypeExponentialHistogram:
		fits = kind == exponentialMeasure
	default:
		fits = kind == intMeasure || kind == doubleMeasure
	}
	switch {
	case kind == noMeasure:
		return nil
	case !fits:
		r.Fail()
		return nil
	}
	switch kind {
	case intMeasure:
		return &number{i: r.Int()}
	case doubleMeasure:
		return &number{double: true, f: r.finite()}
	case histogramMeasure:
		return r.histogram()
	default:
		return r.exponential()
	}
}

func (r *cutDecoder) finite() float64 {
	f := r.Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.Fail()
	}
	return f
}

func (r *cutDecoder) histogram() *histogram {
	h := &histogram{count: r.Uint(), min: math.Inf(1), max: math.Inf(-1)}
	r.extremes(&h.sum, &h.min, &h.max, &h.hasSum, &h.hasMin, &h.hasMax)
	if !r.Bool() {
		r.bounds = make([]float64, r.Len(8))
		for i := range r.bounds {
			if r.bounds[i] = r.finite(); i > 0 && r.bounds[i] <= r.bounds[i-1] {
				r.Fail()
			}
		}
	}
	h.bounds, h.counts = r.bounds, make([]uint64, len(r.bounds)+1)
	for i := range h.counts {
		h.counts[i] = r.Uint()
	}
	return h
}

func (r *cutDecoder) exponential() *exponential {
	h := &exponential{Histogram: expo.New(maxBuckets)}
	h.Count = r.Uint()
	h.Min, h.Max = math.Inf(1), math.Inf(-1)
	r.extremes(&h.Sum, &h.Min, &h.Max, &h.hasSum, &h.hasMin, &h.hasMax)
	h.Scale = int32(r.bounded(math.MinInt32, int64(expo.MaxScale)))
	h.ZeroThreshold = r.finite()
	h.ZeroCount = r.Uint()
	h.Positive, h.Negative = r.buckets(), r.buckets()
	return h
}

func (r *cutDecoder) buckets() expo.Buckets {
	b := expo.Buckets{Offset: int32(r.bounded(math.MinInt32, math.MaxInt32))}
	n := r.Len(1)
	if n > maxBuckets {
		r.Fail()
		return b
	}
	b.Counts = make([]uint64, n)
	for i := range b.Counts {
		b.Counts[i] = r.Uint()
	}
	return b
}

func (r *cutDecoder) bounded(low, high int64) int64 {
	v := r.Int()
	if v < low || v > high {
		r.Fail()
		return 0
	}
	return v
}

func (r *cutDecoder) extremes(sum, low, high *float64, hasSum, hasMin, hasMax *bool) {
	*hasSum, *hasMin, *hasMax = r.Bool(), r.Bool(), r.Bool()
	*sum = r.finite()
	if r.Bool() {
		*low, *high = r.Float(), r.Float()
		if math.IsNaN(*low) || math.IsNaN(*high) {
			r.Fail()
		}
	}
}
