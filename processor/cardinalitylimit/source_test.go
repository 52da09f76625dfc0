package cardinalitylimit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// kind is a type of metric with a temporality.
type kind struct {
	metric    pmetric.MetricType
	temporal  pmetric.AggregationTemporality
	announced bool // resets always change the start
}

func (k kind) name() string {
	return strings.ToLower(k.metric.String() + "_" + k.temporal.String())
}

var kinds = []kind{
	{pmetric.MetricTypeSum, delta, false},
	{pmetric.MetricTypeSum, cumulative, false},
	{pmetric.MetricTypeHistogram, delta, false},
	{pmetric.MetricTypeHistogram, cumulative, false},
	{pmetric.MetricTypeExponentialHistogram, delta, false},
	{pmetric.MetricTypeExponentialHistogram, cumulative, false},
	{pmetric.MetricTypeSummary, cumulative, false},
}

// totals is a value as a vector of the conserved numbers: count, sum, buckets. Values are integers, so the order of additions
// does not matter.
type totals [7]float64

func (t *totals) plus(o totals) {
	for i := range t {
		t[i] += o[i]
	}
}

func (t totals) minus(o totals) totals {
	for i := range t {
		t[i] -= o[i]
	}
	return t
}

func (t totals) decreased(o totals) bool {
	for i := range t {
		if t[i] < o[i] {
			return true
		}
	}
	return false
}

var simBounds = []float64{10, 100, 1000, 10_000}

// source is a stream of the application.
type source struct {
	kind
	id    int
	start time.Time
	now   totals
	expo  *expo.Histogram
}

// reading is one point of a source. It does not change any more.
type reading struct {
	kind
	id        int
	start, at time.Time
	now       totals
	expo      expo.Histogram
	exemplars []carried
}

func (s *source) begin(at time.Time) {
	s.start, s.now, s.expo = at, totals{}, expo.New(20)
}

// observe adds a few values and returns their totals.
func (s *source) observe(rng *rand.Rand) (grown totals) {
	for range 1 + rng.IntN(4) {
		v := float64(1 + rng.IntN(1<<rng.IntN(15)))
		var one totals
		one[0], one[1] = 1, v
		if s.metric == pmetric.MetricTypeHistogram {
			at, _ := slices.BinarySearch(simBounds, v)
			one[2+at] = 1
		}
		s.expo.Record(v, 1)
		grown.plus(one)
	}
	if s.metric == pmetric.MetricTypeSum {
		grown[0] = 0 // a sum has no count
	}
	s.now.plus(grown)
	return grown
}

func (s *source) read(at time.Time) reading {
	r := reading{s.kind, s.id, s.start, at, s.now, *s.expo, nil}
	r.expo.Positive.Counts = slices.Clone(s.expo.Positive.Counts)
	if s.temporal == delta {
		s.begin(at)
	}
	return r
}

func (r *reading) appendTo(b *batch) {
	m := b.sm.Metrics().AppendEmpty()
	m.SetName(r.name())
	attributes := []string{"id", fmt.Sprint(r.id)}
	switch r.metric {
	case pmetric.MetricTypeSum:
		m.SetEmptySum().SetAggregationTemporality(r.temporal)
		m.Sum().SetIsMonotonic(true)
		p := put(m.Sum().DataPoints(), int64(r.now[1]), r.start, r.at, attributes...)
		r.appendExemplars(p.Exemplars())
	case pmetric.MetricTypeHistogram:
		m.SetEmptyHistogram().SetAggregationTemporality(r.temporal)
		p := m.Histogram().DataPoints().AppendEmpty()
		label(p, r.start, r.at, attributes)
		p.SetCount(uint64(r.now[0]))
		p.SetSum(r.now[1])
		p.ExplicitBounds().FromRaw(simBounds)
		for _, n := range r.now[2:] {
			p.BucketCounts().Append(uint64(n))
		}
		r.appendExemplars(p.Exemplars())
	case pmetric.MetricTypeExponentialHistogram:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(r.temporal)
		p := m.ExponentialHistogram().DataPoints().AppendEmpty()
		label(p, r.start, r.at, attributes)
		p.SetCount(r.expo.Count)
		p.SetSum(r.expo.Sum)
		p.SetScale(r.expo.Scale)
		p.Positive().SetOffset(r.expo.Positive.Offset)
		p.Positive().BucketCounts().FromRaw(r.expo.Positive.Counts)
		r.appendExemplars(p.Exemplars())
	case pmetric.MetricTypeSummary:
		p := m.SetEmptySummary().DataPoints().AppendEmpty()
		label(p, r.start, r.at, attributes)
		p.SetCount(uint64(r.now[0]))
		p.SetSum(r.now[1])
	}
}

func (r *reading) appendExemplars(to pmetric.ExemplarSlice) {
	for _, c := range r.exemplars {
		c.appendTo(to)
	}
}
