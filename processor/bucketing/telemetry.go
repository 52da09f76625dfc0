package bucketing

import (
	"context"
	"math"
	"sync/atomic"

	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/fromzero"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/metadata"
)

// telemetry adds reports to the processor's own metrics. A component has an instance in each of its pipelines, so every
// metric is a sum to which each instance adds its part. The attribute sets are prepared, so that a batch does not allocate
// for them.
type telemetry struct {
	builder         *metadata.TelemetryBuilder
	plans           *convert.Plans
	reportedPlans   atomic.Int64
	streams         []*convert.Streams // of the rules with state
	reportedStreams atomic.Int64

	// The attribute sets. All of them contain the component's ID.
	self       metric.MeasurementOption                                     // only the ID
	points     [][convert.Layouts][convert.Layouts]metric.MeasurementOption // by rule, from, to
	passed     [convert.Reasons]metric.MeasurementOption
	violations [convert.Actions][convert.Violations]metric.MeasurementOption
	tally      tally
}

func newTelemetry(set processor.Settings, rules []rule, plans *convert.Plans) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	id := attribute.String("processor", set.ID.String())
	t := &telemetry{
		builder: builder, plans: plans, self: option(id),
		points: make([][convert.Layouts][convert.Layouts]metric.MeasurementOption, len(rules)),
	}
	for i := range rules {
		if s := rules[i].conversion.Streams; s != nil {
			t.streams = append(t.streams, s)
		}
	}
	for i := range t.points {
		for from := range t.points[i] {
			for to := range t.points[i][from] {
				t.points[i][from][to] = option(id,
					attribute.Int("rule", i),
					attribute.String("from", convert.Layout(from).String()),
					attribute.String("to", convert.Layout(to).String()))
			}
		}
	}
	for reason := range t.passed {
		t.passed[reason] = option(id, attribute.String("reason", convert.Reason(reason).String()))
	}
	for action := range t.violations {
		for v := range t.violations[action] {
			t.violations[action][v] = option(id,
				attribute.String("action", convert.Action(action).String()),
				attribute.String("reason", convert.Violation(v).String()))
		}
	}
	fromzero.Options(builder.ProcessorBucketingDroppedPoints, t.self)
	return t, nil
}

func option(attrs ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attrs...))
}

// record adds the report of a batch.
func (t *telemetry) record(ctx context.Context, r *convert.Report) {
	for i := range r.Converted {
		for from := range r.Converted[i] {
			for to, n := range r.Converted[i][from] {
				if n > 0 {
					t.builder.ProcessorBucketingPoints.Add(ctx, n, t.points[i][from][to])
					t.tally.converted.Add(n)
				}
			}
		}
	}
	for reason, n := range r.Passed {
		if n > 0 {
			t.builder.ProcessorBucketingPassedPoints.Add(ctx, n, t.passed[reason])
			t.tally.passed.Add(n)
		}
	}
	if r.Dropped > 0 {
		t.builder.ProcessorBucketingDroppedPoints.Add(ctx, r.Dropped, t.self)
		t.tally.dropped.Add(r.Dropped)
	}
	if r.Repaired > 0 {
		t.builder.ProcessorBucketingRepairedPoints.Add(ctx, r.Repaired, t.self)
		t.tally.repaired.Add(r.Repaired)
	}
	for action := range r.Violations {
		for v, n := range r.Violations[action] {
			if n > 0 {
				t.builder.ProcessorBucketingViolations.Add(ctx, n, t.violations[action][v])
				t.tally.violations.Add(n)
			}
		}
	}
	if r.OpenEnds > 0 {
		t.builder.ProcessorBucketingOpenEndCounts.Add(ctx, int64(min(r.OpenEnds, math.MaxInt64)), t.self)
	}
	for _, e := range r.RankErrors {
		t.builder.ProcessorBucketingRankError.Record(ctx, e, t.self)
	}
	streams := 0
	for _, s := range t.streams {
		streams += s.Len()
	}
	t.recordState(ctx, t.plans.Len(), streams)
}

// recordState adds the changes in the numbers of plans and streams since the last call.
func (t *telemetry) recordState(ctx context.Context, plans, streams int) {
	if change := int64(plans) - t.reportedPlans.Swap(int64(plans)); change != 0 {
		t.builder.ProcessorBucketingPlanCacheSize.Add(ctx, change, t.self)
	}
	if change := int64(streams) - t.reportedStreams.Swap(int64(streams)); change != 0 {
		t.builder.ProcessorBucketingStreams.Add(ctx, change, t.self)
	}
}

// shutdown subtracts the plans and streams of this instance.
func (t *telemetry) shutdown(ctx context.Context) {
	t.recordState(ctx, 0, 0)
	t.builder.Shutdown()
}
