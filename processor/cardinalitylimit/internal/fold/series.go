package fold

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Series describes an outgoing series. The accumulator owns all of it.
type Series struct {
	// Group is equal for series with equal Resource, Scope and Metadata. Metric is equal for series with an equal metric.
	// Series with equal groups and metrics leave in one metric.
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
	Gauge                   Gauge // folding of gauges; the zero value means Options.Gauge
}

// Gauge is the folding of gauges.
type Gauge uint8

// The constants are the values of reaggregate::gauge.
const (
	GaugeDrop Gauge = iota
	GaugeLast
	GaugeMin
	GaugeMax
	GaugeSum
)

// FirstValue is the rule by which a cumulative stream is new.
type FirstValue uint8

// The constants are the values of reaggregate::first_value.
const (
	FirstEvidence FirstValue = iota // by its start or the collections of its writer
	FirstStart                      // by its start
)

// method is the way in which points are added to an accumulator.
type method uint8

const (
	addDelta    method = iota // deltas are added until the flush
	addGrowth                 // the growth of each stream is added, and never reset
	sumLive                   // the sum of the last values of the live streams
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
		default: // a gauge to be dropped has no accumulator
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
