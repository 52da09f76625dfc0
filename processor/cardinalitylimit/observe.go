package cardinalitylimit

import (
	"context"
	"errors"
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// observe registers what is read at the time of collection: the state of the limits
// as it was measured last.
func (t *telemetry) observe(budget *tracker.Budget) error {
	value := func(read func() int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read(), t.common)
			return nil
		}
	}
	perLimit := func(read func(*limit.Usage) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			usage := t.usage.Load()
			if usage == nil {
				return nil
			}
			for i := range *usage {
				u := &(*usage)[i]
				o.Observe(read(u), metric.WithAttributes(attribute.String("limit", u.Limit), t.processor))
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
		b.RegisterProcessorCardinalitylimitLeakedSeriesEstimateCallback(perLimit(func(u *limit.Usage) int64 { return int64(math.Round(u.Leaked)) })),
		b.RegisterProcessorCardinalitylimitRotationsCallback(value(t.set.Rotations)),
		b.RegisterProcessorCardinalitylimitTrackerBytesCallback(value(budget.Used)),
		b.RegisterProcessorCardinalitylimitMemoryRefusalsCallback(value(budget.Refused)),
		b.RegisterProcessorCardinalitylimitTrackedStreamsCallback(value(func() int64 { return int64(t.table.Tracked()) })),
	)
}

// keeps registers what is known of the storage, and counts what happens with it.
func (t *telemetry) keeps(k *keeper) error {
	k.failed = func(ctx context.Context) { t.builder.ProcessorCardinalitylimitSnapshotFailures.Add(ctx, 1, t.common) }
	k.empty = func(ctx context.Context, reason string) {
		t.builder.ProcessorCardinalitylimitEmptyStarts.Add(ctx, 1,
			metric.WithAttributes(attribute.String("reason", reason), t.processor))
	}
	return t.builder.RegisterProcessorCardinalitylimitSnapshotAgeCallback(func(_ context.Context, o metric.Float64Observer) error {
		o.Observe(k.age().Seconds(), t.common)
		return nil
	})
}
