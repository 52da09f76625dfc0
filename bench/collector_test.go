//go:build linux

package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/statsdreceiver"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp"
)

func startMetricsudp(j job) (subject, error) {
	settings := map[string]any{
		"endpoint":             j.Endpoint,
		"transport":            j.Network,
		"aggregation_interval": j.Interval.String(),
		"socket_buffer_size":   j.Buffer / 2, // the kernel doubles the value
	}
	if j.Buffer == defaultBuffer() && j.Network == "udp" {
		settings["readers"] = 1 // one socket like the others, because each socket has its own buffer
	}
	if j.Series > 50_000 { // half the default of max_series
		settings["limits"] = map[string]any{
			"max_series": 2 * j.Series, "max_aliases": 4 * j.Series, "memory_limit_mib": 8192,
		}
	}
	return startReceiver(metricsudp.NewFactory(), settings, j)
}

func startStatsd(j job) (subject, error) {
	// By default the receiver appends a gauge point per timing. With this mapping it makes histograms like metricsudp.
	histogram := func(statsdType string) any {
		return map[string]any{"statsd_type": statsdType, "observer_type": "histogram", "histogram": map[string]any{"max_size": 160}}
	}
	return startReceiver(statsdreceiver.NewFactory(), map[string]any{
		"endpoint":                j.Endpoint,
		"transport":               j.Network,
		"aggregation_interval":    j.Interval.String(),
		"timer_histogram_mapping": []any{histogram("timing"), histogram("distribution")},
	}, j)
}

// collected is a receiver of the Collector with a consumer that counts.
type collected struct {
	receiver receiver.Metrics
	job      job

	mu     sync.Mutex
	got    float64   // samples
	sentAt time.Time // of the first call of complete, before which all lines were sent
}

func startReceiver(factory receiver.Factory, settings map[string]any, j job) (subject, error) {
	cfg := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(settings).Unmarshal(cfg); err != nil {
		return nil, err
	}
	ctx := context.Background()
	c := &collected{job: j}
	sink, err := consumer.NewMetrics(c.consume)
	if err != nil {
		return nil, err
	}
	c.receiver, err = factory.CreateMetrics(ctx, receivertest.NewNopSettings(factory.Type()), cfg, sink)
	if err != nil {
		return nil, err
	}
	if err := c.receiver.Start(ctx, componenttest.NewNopHost()); err != nil {
		return nil, fmt.Errorf("start %s: %w", factory.Type(), err)
	}
	return c, nil
}

func (c *collected) consume(_ context.Context, m pmetric.Metrics) error {
	time.Sleep(c.job.ConsumeDelay)
	n := samplesIn(m)
	c.mu.Lock()
	c.got += n
	c.mu.Unlock()
	return nil
}

func (c *collected) complete(sent load.Ledger) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := samples(sent); n > 0 {
		return c.got >= n
	}
	if c.sentAt.IsZero() {
		c.sentAt = time.Now()
	}
	return time.Since(c.sentAt) > 2*c.job.Interval // gauges and sets cannot be counted, so wait for a flush
}

func (c *collected) lost(sent load.Ledger) (float64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return lostShare(samples(sent), c.got), nil
}

func (c *collected) stop() error { return c.receiver.Shutdown(context.Background()) }

func samplesIn(m pmetric.Metrics) (n float64) {
	for _, rm := range m.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				n += samplesOf(metric)
			}
		}
	}
	return n
}

func samplesOf(metric pmetric.Metric) (n float64) {
	switch metric.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range metric.Sum().DataPoints().All() {
			n += float64(p.IntValue())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range metric.ExponentialHistogram().DataPoints().All() {
			n += float64(p.Count())
		}
	}
	return n
}
