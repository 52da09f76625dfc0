// Package fromzero makes counters of lost data exist before any data is lost. A counter that first appears with its
// first event begins above zero, so increase() in PromQL misses that event.
package fromzero

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Counter adds 0 to a counter for each value of the attribute key, together with the common attributes.
func Counter(c metric.Int64Counter, key string, values []string, common ...attribute.KeyValue) {
	for _, value := range values {
		Plain(c, append([]attribute.KeyValue{attribute.String(key, value)}, common...)...)
	}
}

// Plain adds 0 to a counter with only these attributes.
func Plain(c metric.Int64Counter, attrs ...attribute.KeyValue) {
	c.Add(context.Background(), 0, metric.WithAttributeSet(attribute.NewSet(attrs...)))
}

// Options adds 0 to a counter for each prepared set of attributes.
func Options(c metric.Int64Counter, sets ...metric.MeasurementOption) {
	for _, set := range sets {
		c.Add(context.Background(), 0, set)
	}
}

// Strings converts values of a string type to strings.
func Strings[S ~string](values []S) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}
