package cardinalitylimit

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// observe registers what is read at the time of collection.
func (t *telemetry) observe(budget *tracker.Budget) error {
	value := func(read func() int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read(), t.common)
			return nil
		}
	}
	perLimit := func(read func(*limit.Usage) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			usage := t.usage()
			for i := range usage {
				o.Observe(read(&usage[i]), metric.WithAttributes(attribute.String("limit", usage[i].Limit), t.processor))
			}
			return nil
		}
	}
	b := t.builder
	return errors.Join(
		b.RegisterProcessorCardinalitylimitSeriesCallback(perLimit(func(u *limit.Usage) int64 { return u.Series })),
		b.RegisterProcessorCardinalitylimitMaxSeriesCallback(perLimit(func(u *limit.Usage) int64 { return int64(u.Max) })),
		b.RegisterProcessorCardinalitylimitKeysCallback(perLimit(func(u *limit.Usage) int64 { return u.Keys })),
		b.RegisterProcessorCardinalitylimitKeysNearLimitCallback(perLimit(func(u *limit.Usage) int64 { return u.Near })),
		b.RegisterProcessorCardinalitylimitRotationsCallback(value(t.set.Rotations)),
		b.RegisterProcessorCardinalitylimitTrackerBytesCallback(value(budget.Used)),
		b.RegisterProcessorCardinalitylimitMemoryRefusalsCallback(value(budget.Refused)),
		b.RegisterProcessorCardinalitylimitTrackedStreamsCallback(value(func() int64 { return int64(t.table.Tracked()) })),
	)
}

// usageAge is how old a reading of the trackers may be: the metrics of one
// collection share one.
const usageAge = time.Second

// usage reads the trackers, and frees those that are empty.
func (t *telemetry) usage() []limit.Usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); t.last == nil || now.Sub(t.at) >= usageAge {
		t.last, t.at = t.set.Sweep(), now
	}
	return t.last
}

// warnNow tells whether to warn about a limit: once a window.
func (t *telemetry) warnNow(name string, window time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if last, ok := t.warned[name]; ok && now.Sub(last) < window {
		return false
	}
	t.warned[name] = now
	return true
}
