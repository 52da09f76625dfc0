package cardinalitylimit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
)

// metricType contains the functions for the metrics of a type.
type metricType struct {
	decidePoints   func(*walker, pmetric.Metric)
	decideStranger func(w *walker, m pmetric.Metric, point int) (stays bool)
	wantsPlace     func(w *walker, m pmetric.Metric, point int) bool
	prune          func(m pmetric.Metric, removed []bool) (empty bool)
	// temporality is nil for types without one: gauges, and summaries, which are cumulative.
	temporality func(pmetric.Metric) pmetric.AggregationTemporality
}

// metricTypes is filled by init, because the functions of its elements refer to it.
var metricTypes [pmetric.MetricTypeSummary + 1]metricType

func init() {
	metricTypes = [...]metricType{
		pmetric.MetricTypeEmpty: {},
		pmetric.MetricTypeGauge: newMetricType(func(m pmetric.Metric) pmetric.NumberDataPointSlice { return m.Gauge().DataPoints() },
			&numbers, nil),
		pmetric.MetricTypeSum: newMetricType(func(m pmetric.Metric) pmetric.NumberDataPointSlice { return m.Sum().DataPoints() },
			&numbers, func(m pmetric.Metric) pmetric.AggregationTemporality { return m.Sum().AggregationTemporality() }),
		pmetric.MetricTypeHistogram: newMetricType(func(m pmetric.Metric) pmetric.HistogramDataPointSlice { return m.Histogram().DataPoints() },
			&histograms, func(m pmetric.Metric) pmetric.AggregationTemporality { return m.Histogram().AggregationTemporality() }),
		pmetric.MetricTypeExponentialHistogram: newMetricType(
			func(m pmetric.Metric) pmetric.ExponentialHistogramDataPointSlice {
				return m.ExponentialHistogram().DataPoints()
			},
			&exponentials, func(m pmetric.Metric) pmetric.AggregationTemporality {
				return m.ExponentialHistogram().AggregationTemporality()
			}),
		pmetric.MetricTypeSummary: newMetricType(func(m pmetric.Metric) pmetric.SummaryDataPointSlice { return m.Summary().DataPoints() },
			&summaries, nil),
	}
}

func typeOf(m pmetric.Metric) *metricType { return &metricTypes[m.Type()] }

func newMetricType[P datapoint, S datapoints[P]](
	pointsOf func(pmetric.Metric) S, c *codec[P], temporality func(pmetric.Metric) pmetric.AggregationTemporality,
) metricType {
	return metricType{
		decidePoints:   func(w *walker, m pmetric.Metric) { decidePoints(w, pointsOf(m), c) },
		decideStranger: func(w *walker, m pmetric.Metric, i int) bool { return decideStranger(w, pointsOf(m).At(i), c) },
		wantsPlace:     func(w *walker, m pmetric.Metric, i int) bool { return wantsPlace(w, pointsOf(m).At(i), c) },
		prune:          func(m pmetric.Metric, removed []bool) bool { return prunePoints(pointsOf(m), removed) },
		temporality:    temporality,
	}
}

// temporalityOf returns the temporality of a metric, or unspecified if its type has none.
func temporalityOf(m pmetric.Metric) pmetric.AggregationTemporality {
	if k := typeOf(m); k.temporality != nil {
		return k.temporality(m)
	}
	return pmetric.AggregationTemporalityUnspecified
}

// isMonotonicSum reports whether a metric is a sum that only grows.
func isMonotonicSum(m pmetric.Metric) bool {
	return m.Type() == pmetric.MetricTypeSum && m.Sum().IsMonotonic()
}

// datapoint contains the common methods of the datapoints of all types.
type datapoint interface {
	Attributes() pcommon.Map
	Flags() pmetric.DataPointFlags
	Timestamp() pcommon.Timestamp
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
}

type datapoints[P datapoint] interface {
	Len() int
	At(i int) P
	RemoveIf(f func(P) bool)
}

// codec contains the functions that read and write the values of a type of point.
type codec[P datapoint] struct {
	read      func(P) (fold.Value, fold.Stat)
	write     func(fold.Value, P)
	exemplars func(P) pmetric.ExemplarSlice
	buckets   func(P) int
	weight    func(P) float64 // the value of a number, otherwise the count
}

var (
	numbers = codec[pmetric.NumberDataPoint]{
		fold.ReadNumber, fold.WriteNumber, pmetric.NumberDataPoint.Exemplars,
		func(pmetric.NumberDataPoint) int { return 0 }, numberOf,
	}
	histograms = codec[pmetric.HistogramDataPoint]{
		fold.ReadHistogram, fold.WriteHistogram, pmetric.HistogramDataPoint.Exemplars,
		func(p pmetric.HistogramDataPoint) int { return max(p.BucketCounts().Len(), p.ExplicitBounds().Len()) },
		func(p pmetric.HistogramDataPoint) float64 { return float64(p.Count()) },
	}
	exponentials = codec[pmetric.ExponentialHistogramDataPoint]{
		fold.ReadExponential, fold.WriteExponential, pmetric.ExponentialHistogramDataPoint.Exemplars,
		func(p pmetric.ExponentialHistogramDataPoint) int {
			return p.Positive().BucketCounts().Len() + p.Negative().BucketCounts().Len()
		},
		func(p pmetric.ExponentialHistogramDataPoint) float64 { return float64(p.Count()) },
	}
	summaries = codec[pmetric.SummaryDataPoint]{
		fold.ReadSummary, fold.WriteSummary, func(pmetric.SummaryDataPoint) pmetric.ExemplarSlice { return noExemplars },
		func(p pmetric.SummaryDataPoint) int { return p.QuantileValues().Len() },
		func(p pmetric.SummaryDataPoint) float64 { return float64(p.Count()) },
	}
)

func numberOf(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

var noExemplars = pmetric.NewExemplarSlice()
