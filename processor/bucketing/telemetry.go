package bucketing

import (
	"context"
	"math"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/metadata"
)

// telemetry writes reports to the processor's own metrics. The attribute sets are
// made once, so that a batch allocates nothing for them.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	points  [][2][2]metric.MeasurementOption // by rule, from, to
	passed  [convert.Reasons]metric.MeasurementOption
	none    metric.MeasurementOption
}

func newTelemetry(set component.TelemetrySettings, rules int, plans *convert.Plans) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	err = builder.RegisterProcessorBucketingPlanCacheSizeCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(plans.Len()))
		return nil
	})
	if err != nil {
		builder.Shutdown()
		return nil, err
	}
	t := &telemetry{builder: builder, points: make([][2][2]metric.MeasurementOption, rules), none: option(attribute.String("action", "none"))}
	for i := range t.points {
		for from := range t.points[i] {
			for to := range t.points[i][from] {
				t.points[i][from][to] = option(
					attribute.Int("rule", i),
					attribute.String("from", convert.Layout(from).String()),
					attribute.String("to", convert.Layout(to).String()))
			}
		}
	}
	for reason := range t.passed {
		t.passed[reason] = option(attribute.String("reason", convert.Reason(reason).String()))
	}
	return t, nil
}

func option(attrs ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attrs...))
}

func (t *telemetry) record(ctx context.Context, r *convert.Report) {
	for i := range r.Converted {
		for from := range r.Converted[i] {
			for to, n := range r.Converted[i][from] {
				if n > 0 {
					t.builder.ProcessorBucketingPoints.Add(ctx, n, t.points[i][from][to])
				}
			}
		}
	}
	for reason, n := range r.Passed {
		if n > 0 {
			t.builder.ProcessorBucketingPassedPoints.Add(ctx, n, t.passed[reason])
		}
	}
	if r.Dropped > 0 {
		t.builder.ProcessorBucketingDroppedPoints.Add(ctx, r.Dropped)
	}
	if r.BelowWorkingScale > 0 {
		t.builder.ProcessorBucketingViolations.Add(ctx, r.BelowWorkingScale, t.none)
	}
	if r.OpenEnds > 0 {
		t.builder.ProcessorBucketingOpenEndCounts.Add(ctx, int64(min(r.OpenEnds, math.MaxInt64)))
	}
	for _, e := range r.RankErrors {
		t.builder.ProcessorBucketingRankError.Record(ctx, e)
	}
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }
