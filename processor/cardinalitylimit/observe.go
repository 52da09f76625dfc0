package cardinalitylimit

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// observe registers the callbacks of the observable metrics. They read the last measurement of the limits, and those without labels
// report the counters.
func (t *telemetry) observe(memory *budget.Budget) error {
	value := func(read func() int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			t.group.Report()
			o.Observe(read(), t.common)
			return nil
		}
	}
	measured := func(observe func(metric.Int64Observer, *measurement)) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			if m := t.measured.Load(); m != nil {
				observe(o, m)
			}
			return nil
		}
	}
	perLimit := func(read func(*limit.Usage) int64) metric.Int64Callback {
		return measured(func(o metric.Int64Observer, m *measurement) {
			for i := range m.usage {
				o.Observe(read(&m.usage[i]), metric.WithAttributes(attribute.String("limit", m.usage[i].Limit), t.processor))
			}
		})
	}
	perKey := func(read func(*limit.KeyUsage) int64) metric.Int64Callback {
		return measured(func(o metric.Int64Observer, m *measurement) { t.observeKeys(o, m, read) })
	}
	perOverride := func(read func(*limit.OverrideUsage) int64) metric.Int64Callback {
		return measured(func(o metric.Int64Observer, m *measurement) {
			for i := range m.usage {
				for k := range m.usage[i].Overrides {
					u := &m.usage[i].Overrides[k]
					o.Observe(read(u), metric.WithAttributes(attribute.String("limit", m.usage[i].Limit),
						attribute.String("override", u.Name), t.processor))
				}
			}
		})
	}
	b := t.builder
	return errors.Join(
		b.RegisterProcessorCardinalitylimitSeriesCallback(perLimit(func(u *limit.Usage) int64 { return u.Series })),
		b.RegisterProcessorCardinalitylimitMaxSeriesCallback(perLimit(func(u *limit.Usage) int64 { return int64(u.Max) })),
		b.RegisterProcessorCardinalitylimitKeysCallback(perLimit(func(u *limit.Usage) int64 { return u.Keys })),
		b.RegisterProcessorCardinalitylimitKeysNearLimitCallback(perLimit(func(u *limit.Usage) int64 { return u.Near })),
		b.RegisterProcessorCardinalitylimitKeySeriesCallback(perKey(func(k *limit.KeyUsage) int64 { return int64(k.Series) })),
		b.RegisterProcessorCardinalitylimitKeyMaxSeriesCallback(perKey(func(k *limit.KeyUsage) int64 { return int64(k.Max) })),
		b.RegisterProcessorCardinalitylimitOverrideKeysCallback(perOverride(func(u *limit.OverrideUsage) int64 { return u.Keys })),
		b.RegisterProcessorCardinalitylimitOverrideSeriesCallback(perOverride(func(u *limit.OverrideUsage) int64 { return u.Series })),
		b.RegisterProcessorCardinalitylimitOverrideMaxSeriesCallback(perOverride(func(u *limit.OverrideUsage) int64 { return int64(u.Max) })),
		b.RegisterProcessorCardinalitylimitOverrideFullestKeySeriesCallback(perOverride(func(u *limit.OverrideUsage) int64 { return int64(u.Fullest) })),
		b.RegisterProcessorCardinalitylimitRejectedSeriesEstimateCallback(measured(t.observeRefused)),
		b.RegisterProcessorCardinalitylimitOffenderSeriesCallback(measured(t.observeOffenders)),
		b.RegisterProcessorCardinalitylimitOffenderKeySeriesCallback(measured(t.observeOffendingKeys)),
		b.RegisterProcessorCardinalitylimitOffenderLabelValuesCallback(measured(t.observeLabels)),
		b.RegisterProcessorCardinalitylimitRotationsCallback(value(t.set.Rotations)),
		b.RegisterProcessorCardinalitylimitTrackerBytesCallback(value(memory.Used)),
		b.RegisterProcessorCardinalitylimitMemoryRefusalsCallback(value(memory.Refused)),
		b.RegisterProcessorCardinalitylimitTrackedStreamsCallback(value(func() int64 { return int64(t.table.Tracked()) })),
	)
}

// observeKeys observes the fullest keys. Long texts of keys are cut. If several keys have the same text, only the first is
// observed.
func (t *telemetry) observeKeys(o metric.Int64Observer, m *measurement, read func(*limit.KeyUsage) int64) {
	for i := range m.usage {
		observed := make(map[string]bool)
		for k := range m.usage[i].Fullest {
			key := &m.usage[i].Fullest[k]
			if observed[key.Key] {
				continue
			}
			observed[key.Key] = true
			o.Observe(read(key), metric.WithAttributes(attribute.String("limit", m.usage[i].Limit),
				attribute.String("key", key.Key), t.processor))
		}
	}
}

func (t *telemetry) observeRefused(o metric.Int64Observer, m *measurement) {
	for i, n := range m.over.Refused {
		o.Observe(n, metric.WithAttributes(attribute.String("limit", t.set.Name(i)), t.processor))
	}
}

func (t *telemetry) observeOffenders(o metric.Int64Observer, m *measurement) {
	most := make(largest)
	for i := range m.over.Top {
		top := &m.over.Top[i]
		most.add(top.Wanted(), t.offender(top))
	}
	most.observe(o)
}

func (t *telemetry) observeOffendingKeys(o metric.Int64Observer, m *measurement) {
	most := make(largest)
	for i := range m.over.Keys {
		key := &m.over.Keys[i]
		most.add(key.Wanted(), []attribute.KeyValue{
			attribute.String("limit", t.set.Name(key.Limit)), attribute.String("key", key.Key), t.processor,
		})
	}
	most.observe(o)
}

func (t *telemetry) observeLabels(o metric.Int64Observer, m *measurement) {
	most := make(largest)
	for i := range m.over.Top {
		top := &m.over.Top[i]
		for k := range top.Labels {
			l := &top.Labels[k]
			most.add(l.Values, append(t.offender(top), attribute.String("label", l.Name)))
		}
	}
	most.observe(o)
}

// largest contains the largest value of each label set. Several offenders may have the same label set: two labels of a metric
// over one limit, and keys whose texts were cut.
type largest map[attribute.Distinct]labelled

type labelled struct {
	labels attribute.Set
	value  int64
}

func (l largest) add(value int64, labels []attribute.KeyValue) {
	set := attribute.NewSet(labels...)
	if known, ok := l[set.Equivalent()]; !ok || value > known.value {
		l[set.Equivalent()] = labelled{set, value}
	}
}

func (l largest) observe(o metric.Int64Observer) {
	for _, m := range l {
		o.Observe(m.value, metric.WithAttributeSet(m.labels))
	}
}

func (t *telemetry) offender(o *offenders.Offender) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("limit", t.set.Name(o.Limit)), attribute.String("metric", o.Metric),
		attribute.String("key", o.Key), t.processor,
	}
}

// registerStorage registers the metrics about the storage.
func (t *telemetry) registerStorage(k *keeper) error {
	k.countFailure = func(ctx context.Context) { t.builder.ProcessorCardinalitylimitSnapshotFailures.Add(ctx, 1, t.common) }
	k.countEmpty = func(ctx context.Context, reason string) {
		t.builder.ProcessorCardinalitylimitEmptyStarts.Add(ctx, 1,
			metric.WithAttributes(attribute.String("reason", reason), t.processor))
	}
	return t.builder.RegisterProcessorCardinalitylimitSnapshotAgeCallback(func(_ context.Context, o metric.Float64Observer) error {
		o.Observe(k.age().Seconds(), t.common)
		return nil
	})
}
