package e2e

import (
	"fmt"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// seen is the backend's ledger: the sums of the metrics that it accepted, deltas only.
type seen struct {
	ledger ledger
	ends   map[string]pcommon.Timestamp // where the last delta of a series ended
	// Violations of a guarantee: deltas of a series with a gap or an overlap, and text that is not UTF-8.
	broken []string
}

func newSeen() *seen {
	return &seen{ledger: ledger{}, ends: map[string]pcommon.Timestamp{}}
}

func (s *seen) note(m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			s.noteNumber("g", m.Name(), p)
		}
	case pmetric.MetricTypeSum:
		if m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta {
			for _, p := range m.Sum().DataPoints().All() {
				s.noteNumber("c", m.Name(), p)
			}
		}
	case pmetric.MetricTypeHistogram:
		if m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta {
			for _, p := range m.Histogram().DataPoints().All() {
				s.noteDistribution(m.Name(), p.Attributes(), p.StartTimestamp(), p.Timestamp(), p.Count(), p.Sum())
			}
		}
	case pmetric.MetricTypeExponentialHistogram:
		if m.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta {
			for _, p := range m.ExponentialHistogram().DataPoints().All() {
				s.noteDistribution(m.Name(), p.Attributes(), p.StartTimestamp(), p.Timestamp(), p.Count(), p.Sum())
			}
		}
	}
}

func (s *seen) noteNumber(kind, name string, p pmetric.NumberDataPoint) {
	v := p.DoubleValue()
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		v = float64(p.IntValue())
	}
	key := s.key(name, p.Attributes())
	// A time set by the client is in whole seconds, and in these tests long ago.
	if at := p.Timestamp().AsTime(); p.StartTimestamp() == 0 && at.Nanosecond() == 0 && at.Unix() < timedBefore {
		s.ledger.addTimed(kind, key, at.Unix(), v)
		return
	}
	if kind == "c" {
		s.touch(key, p.StartTimestamp(), p.Timestamp())
	}
	s.ledger.add(kind, key, 1, v)
}

func (s *seen) noteDistribution(name string, attributes pcommon.Map, start, end pcommon.Timestamp, count uint64, sum float64) {
	key := s.key(name, attributes)
	s.touch(key, start, end)
	total := s.ledger.stream("h", key)
	total.count += float64(count)
	total.sum += sum
}

// touch checks that a delta begins at the end of the delta before.
func (s *seen) touch(key string, start, end pcommon.Timestamp) {
	if last, known := s.ends[key]; (known && start != last) || start >= end {
		s.broken = append(s.broken, fmt.Sprintf("%s: from %d to %d after one that ends %d", key, start, end, last))
	}
	s.ends[key] = end
}

func (s *seen) key(name string, attributes pcommon.Map) string {
	tags := make([]string, 0, attributes.Len())
	for k, v := range attributes.All() {
		tags = append(tags, k+":"+v.AsString())
	}
	key := seriesKey(name, tags...)
	if !utf8.ValidString(key) {
		s.broken = append(s.broken, fmt.Sprintf("not UTF-8: %q", key))
	}
	return key
}

// look calls the function with the ledger.
func (b *backend) look(see func(*seen)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	see(b.seen)
}
