package fold

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Series describes an outgoing series. All of it is owned by the accumulator.
type Series struct {
	// Group is equal for series with equal Resource, Scope and Metadata, Metric for
	// those with an equal metric: they leave in one batch and in one metric.
	Group, Metric uint64
	// Metadata is the client metadata under which the series leaves.
	Metadata map[string][]string

	Resource   pcommon.Resource
	Scope      pcommon.InstrumentationScope
	Attributes pcommon.Map

	Name, Description, Unit string
	Type                    pmetric.MetricType
	Temporality             pmetric.AggregationTemporality
	Monotonic               bool
	Gauge                   Gauge // how gauges are folded; the zero value: as Options say
}

// Gauge is how gauges are folded.
type Gauge uint8

// The choices of reaggregate.gauge.
const (
	GaugeDrop Gauge = iota
	GaugeLast
	GaugeMin
	GaugeMax
	GaugeSum
)

// FirstValue is what makes a cumulative stream a new one.
type FirstValue uint8

// The choices of reaggregate.first_value.
const (
	FirstEvidence FirstValue = iota // its start, or the collections of its writer
	FirstStart                      // its start
)

// method is how points enter an accumulator.
type method uint8

const (
	addDelta    method = iota // deltas add until the flush
	addGrowth                 // differences against each stream's last value, for ever
	sumLive                   // last values of the live streams
	replaceLast               // the newest value since the flush
	replaceMin                // the lowest value since the flush
	replaceMax                // the highest value since the flush
)

func (s *Series) method(g Gauge) method {
	switch s.Type {
	case pmetric.MetricTypeGauge:
		switch g {
		case GaugeMin:
			return replaceMin
		case GaugeMax:
			return replaceMax
		case GaugeSum:
			return sumLive
		default: // GaugeDrop does not come this far
			return replaceLast
		}
	case pmetric.MetricTypeSummary:
		return addGrowth
	}
	switch {
	case s.Temporality == pmetric.AggregationTemporalityDelta:
		return addDelta
	case s.Type == pmetric.MetricTypeSum && !s.Monotonic:
		return sumLive
	default:
		return addGrowth
	}
}
