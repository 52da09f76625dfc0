package fallbacklog

import (
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// queueMeters is a MeterProvider for exporterhelper's queue. It has no counters of sent items: the exporter counts these
// itself, and a batch that leaves the queue may have gone to the log.
type queueMeters struct{ metric.MeterProvider }

// Meter returns the provider's meter without these counters.
func (p queueMeters) Meter(name string, opts ...metric.MeterOption) metric.Meter {
	return queueMeter{p.MeterProvider.Meter(name, opts...)}
}

type queueMeter struct{ metric.Meter }

// silenced are the prefixes of the counters that the exporter has, too.
var silenced = []string{"otelcol_exporter_sent_", "otelcol_exporter_send_failed_"}

// Int64Counter returns the meter's counter, or one that counts nothing.
func (m queueMeter) Int64Counter(name string, opts ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	for _, prefix := range silenced {
		if strings.HasPrefix(name, prefix) {
			return noop.Int64Counter{}, nil
		}
	}
	return m.Meter.Int64Counter(name, opts...)
}
