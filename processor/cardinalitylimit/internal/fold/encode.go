package fold

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// Encode writes the cut. It writes times as differences to the time of the cut, which need half the bytes.
func (c *Cut) Encode(e *snapshot.Encoder) {
	w := &cutEncoder{Encoder: e, at: c.at}
	e.Int(c.at)
	e.Int(c.origin)
	e.Int(c.unknownUntil)
	for i, words := range c.forgotten.words {
		e.Words(words)
		e.Int(c.forgotten.newest[i])
	}
	e.Uint(uint64(c.forgotten.added))
	e.Uint(uint64(len(c.writers)))
	for i := range c.writers {
		w.writer(&c.writers[i])
	}
	e.Uint(uint64(len(c.accumulators)))
	indexes := make(map[*accumulator]uint64, len(c.accumulators))
	for i := range c.accumulators {
		a := &c.accumulators[i]
		indexes[a.accumulator] = uint64(i)
		w.accumulator(a)
	}
	e.Uint(uint64(len(c.streams)))
	for i := range c.streams {
		s := &c.streams[i]
		e.Fixed(s.id)
		e.Uint(indexes[s.to])
		w.times(s.start, s.time, s.seen, s.floor)
		e.Bool(s.ended)
		e.Bool(s.admitted)
		e.Bool(s.uncertain)
		e.Bool(s.passAfterCut != 0)
		e.Fixed(s.writer)
		e.Uint(uint64(s.serial))
		e.Uint(uint64(s.streak))
		e.Int(s.interval)
		w.measure(s.last)
		w.measure(s.offset)
		w.origins(s.others)
	}
	e.Uint(uint64(len(c.refused)))
	for i := range c.refused {
		k := &c.refused[i]
		e.Uint(indexes[k.from])
		w.times(k.start, k.time)
		w.measure(k.value)
	}
}

type cutEncoder struct {
	*snapshot.Encoder
	at     int64
	bounds []float64 // bounds of the histogram before; neighbours usually have the same
}

func (w *cutEncoder) times(times ...int64) {
	for _, t := range times {
		w.Int(t - w.at)
	}
}

func (w *cutEncoder) origins(others []origin) {
	w.Uint(uint64(len(others)))
	for i := range others {
		o := &others[i]
		w.times(o.start, o.time, o.floor)
		w.Bool(o.uncertain)
		w.measure(o.last)
		w.measure(o.offset)
	}
}

func (w *cutEncoder) writer(f *frozenWriter) {
	w.Fixed(f.id)
	w.times(f.before, f.last)
	for _, n := range []uint32{f.begun, f.seen, f.serial, f.points, f.previous, math.Float32bits(f.reference), uint32(f.barred)} {
		w.Uint(uint64(n))
	}
}

func (w *cutEncoder) accumulator(a *frozen) {
	w.Fixed(a.id)
	w.Fixed(a.series.Group)
	w.Fixed(a.series.Metric)
	w.Uint(uint64(a.method))
	w.Uint(uint64(a.series.Gauge))
	w.Bool(a.unsent)
	w.times(a.origin, a.earliest, a.newest, a.emitted, a.seen)
	w.Uint(uint64(len(a.series.Metadata)))
	for k, values := range a.series.Metadata {
		w.Text(k)
		w.Uint(uint64(len(values)))
		for _, v := range values {
			w.Text(v)
		}
	}
	w.Text(a.series.marshal())
	w.measure(a.cutValue)
}

// marshal encodes the series as OTLP: one metric with a point without a value.
func (s *Series) marshal() string {
	b := newBuilder()
	m := b.metric(s)
	switch s.Type {
	case pmetric.MetricTypeGauge:
		s.Attributes.CopyTo(m.Gauge().DataPoints().AppendEmpty().Attributes())
	case pmetric.MetricTypeSum:
		s.Attributes.CopyTo(m.Sum().DataPoints().AppendEmpty().Attributes())
	case pmetric.MetricTypeHistogram:
		s.Attributes.CopyTo(m.Histogram().DataPoints().AppendEmpty().Attributes())
	case pmetric.MetricTypeExponentialHistogram:
		s.Attributes.CopyTo(m.ExponentialHistogram().DataPoints().AppendEmpty().Attributes())
	case pmetric.MetricTypeSummary:
		s.Attributes.CopyTo(m.Summary().DataPoints().AppendEmpty().Attributes())
	}
	text, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(b.md)
	if err != nil {
		return "" // does not happen, because the series came as OTLP; the reader refuses ""
	}
	return string(text)
}

// The kinds of measures in the encoding are these constants.
const (
	noMeasure = iota
	intMeasure
	doubleMeasure
	histogramMeasure
	exponentialMeasure
)

func (w *cutEncoder) measure(m measure) {
	switch m := m.(type) {
	case *number:
		if m.double {
			w.Uint(doubleMeasure)
			w.Float(m.f)
		} else {
			w.Uint(intMeasure)
			w.Int(m.i)
		}
	case *histogram:
		w.Uint(histogramMeasure)
		w.Uint(m.count)
		w.extremes(m.sum, m.min, m.max, m.hasSum, m.hasMin, m.hasMax)
		same := slices.Equal(m.bounds, w.bounds)
		w.Bool(same)
		if !same {
			w.Uint(uint64(len(m.bounds)))
			for _, b := range m.bounds {
				w.Float(b)
			}
			w.bounds = m.bounds
		}
		for _, n := range m.counts {
			w.Uint(n)
		}
	case *exponential:
		w.Uint(exponentialMeasure)
		w.Uint(m.Count)
		w.extremes(m.Sum, m.Min, m.Max, m.hasSum, m.hasMin, m.hasMax)
		w.Int(int64(m.Scale))
		w.Float(m.ZeroThreshold)
		w.Uint(m.ZeroCount)
		w.buckets(m.Positive.Offset, m.Positive.Counts)
		w.buckets(m.Negative.Offset, m.Negative.Counts)
	default:
		w.Uint(noMeasure)
	}
}

func (w *cutEncoder) extremes(sum, low, high float64, hasSum, hasMin, hasMax bool) {
	w.Bool(hasSum)
	w.Bool(hasMin)
	w.Bool(hasMax)
	w.Float(sum)
	finite := !math.IsInf(low, 0) || !math.IsInf(high, 0)
	w.Bool(finite)
	if finite {
		w.Float(low)
		w.Float(high)
	}
}

func (w *cutEncoder) buckets(offset int32, counts []uint64) {
	w.Int(int64(offset))
	w.Uint(uint64(len(counts)))
	for _, n := range counts {
		w.Uint(n)
	}
}
