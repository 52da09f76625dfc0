package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Metrics returns all metrics of a reader, as that of componenttest.Telemetry.
func Metrics(t testing.TB, reader sdk.Reader) (all []metricdata.Metrics) {
	t.Helper()
	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &collected))
	for _, scope := range collected.ScopeMetrics {
		all = append(all, scope.Metrics...)
	}
	return all
}

// PointsOf returns the points of a counter or a gauge. Another metric has none, nor has one with another type of number.
func PointsOf[N int64 | float64](m metricdata.Metrics) []metricdata.DataPoint[N] {
	switch d := m.Data.(type) {
	case metricdata.Sum[N]:
		return d.DataPoints
	case metricdata.Gauge[N]:
		return d.DataPoints
	default:
		return nil
	}
}

// Points returns the points of every counter or gauge of this name that have the labels, given as pairs of name and value. It
// returns none while the metric does not exist.
func Points[N int64 | float64](t testing.TB, reader sdk.Reader, name string, labels ...string) (points []metricdata.DataPoint[N]) {
	t.Helper()
	for _, m := range Metrics(t, reader) {
		if m.Name != name {
			continue
		}
		for _, p := range PointsOf[N](m) {
			if hasLabels(p.Attributes, labels) {
				points = append(points, p)
			}
		}
	}
	return points
}

func hasLabels(set attribute.Set, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		if v, ok := set.Value(attribute.Key(labels[i])); !ok || v.AsString() != labels[i+1] {
			return false
		}
	}
	return true
}

// Sum adds the values of Points.
func Sum(t testing.TB, reader sdk.Reader, name string, labels ...string) (sum int64) {
	t.Helper()
	for _, p := range Points[int64](t, reader, name, labels...) {
		sum += p.Value
	}
	return sum
}

// Value returns the value of a metric that must have one point.
func Value(t testing.TB, reader sdk.Reader, name string) int64 {
	t.Helper()
	points := Points[int64](t, reader, name)
	require.Len(t, points, 1, name)
	return points[0].Value
}
