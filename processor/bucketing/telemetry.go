package bucketing

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/fromzero"
	"github.com/otelcol-custom/otelcol-custom/internal/selfcount"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/metadata"
)

// telemetry counts for the processor's own metrics and for the gateway page. A component has an instance in each of its pipelines, so
// every metric is a sum to which each instance adds its part. All labels contain the component's ID.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	group   *selfcount.Group
	plans   *convert.Plans
	streams []*convert.Streams // of the rules with state
	self    metric.MeasurementOption

	points     [][convert.Layouts][convert.Layouts]*selfcount.Counter // by rule, from, to
	passed     [convert.Reasons]*selfcount.Counter
	violations [convert.Actions][convert.Violations]*selfcount.Counter
	dropped    *selfcount.Counter
	repaired   *selfcount.Counter
	openEnds   *selfcount.Counter
}

func newTelemetry(set processor.Settings, group *selfcount.Group, rules []rule, plans *convert.Plans) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	id := attribute.String("processor", set.ID.String())
	labels := func(attrs ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(attrs, id)...))
	}
	t := &telemetry{
		builder: b, group: group, plans: plans, self: labels(),
		points: make([][convert.Layouts][convert.Layouts]*selfcount.Counter, len(rules)),
	}
	for i := range rules {
		if s := rules[i].conversion.Streams; s != nil {
			t.streams = append(t.streams, s)
		}
	}
	for i := range t.points {
		for from := range t.points[i] {
			for to := range t.points[i][from] {
				t.points[i][from][to] = group.Counter(b.ProcessorBucketingPoints, labels(
					attribute.Int("rule", i),
					attribute.String("from", convert.Layout(from).String()),
					attribute.String("to", convert.Layout(to).String())))
			}
		}
	}
	for reason := range t.passed {
		t.passed[reason] = group.Counter(b.ProcessorBucketingPassedPoints, labels(attribute.String("reason", convert.Reason(reason).String())))
	}
	for action := range t.violations {
		for v := range t.violations[action] {
			t.violations[action][v] = group.Counter(b.ProcessorBucketingViolations, labels(
				attribute.String("action", convert.Action(action).String()),
				attribute.String("reason", convert.Violation(v).String())))
		}
	}
	t.dropped = group.Counter(b.ProcessorBucketingDroppedPoints, t.self)
	fromzero.Options(b.ProcessorBucketingDroppedPoints, t.self)
	t.repaired = group.Counter(b.ProcessorBucketingRepairedPoints, t.self)
	t.openEnds = group.Counter(b.ProcessorBucketingOpenEndCounts, t.self)
	if err := t.observe(); err != nil {
		b.Shutdown()
		return nil, err
	}
	return t, nil
}

// observe registers the callbacks of the observable metrics. They also report the counters.
func (t *telemetry) observe() error {
	value := func(read func() int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			t.group.Report()
			o.Observe(read(), t.self)
			return nil
		}
	}
	return errors.Join(
		t.builder.RegisterProcessorBucketingPlanCacheSizeCallback(value(func() int64 { return int64(t.plans.Len()) })),
		t.builder.RegisterProcessorBucketingStreamsCallback(value(t.streamCount)),
	)
}

func (t *telemetry) streamCount() (n int64) {
	for _, s := range t.streams {
		n += int64(s.Len())
	}
	return n
}

// maxOpenEnds bounds the count of a batch, which senders choose, so that the counter does not overflow.
const maxOpenEnds = 1 << 53

// record adds the report of a batch.
func (t *telemetry) record(ctx context.Context, r *convert.Report) {
	for i := range r.Converted {
		for from := range r.Converted[i] {
			for to, n := range r.Converted[i][from] {
				t.points[i][from][to].Add(n)
			}
		}
	}
	for reason, n := range r.Passed {
		t.passed[reason].Add(n)
	}
	t.dropped.Add(r.Dropped)
	t.repaired.Add(r.Repaired)
	for action := range r.Violations {
		for v, n := range r.Violations[action] {
			t.violations[action][v].Add(n)
		}
	}
	t.openEnds.Add(int64(min(r.OpenEnds, maxOpenEnds)))
	for _, e := range r.RankErrors {
		t.builder.ProcessorBucketingRankError.Record(ctx, e, t.self)
	}
}

// shutdown reports for the last time. The metrics do not contain the plans and streams of this instance any more.
func (t *telemetry) shutdown() {
	t.group.Close()
	t.builder.Shutdown()
}
