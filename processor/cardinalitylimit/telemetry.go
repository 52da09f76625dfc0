package cardinalitylimit

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// telemetry turns the core's counts into the processor's own metrics: one call a
// batch and label set.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	set     *limit.Set
	table   *fold.Table
	mode    string

	// Label sets, made once.
	processor attribute.KeyValue
	common    metric.MeasurementOption
	points    map[pointsLabels]metric.MeasurementOption
	reasons   map[string]metric.MeasurementOption
	oversized [oversize.Kinds]metric.MeasurementOption

	measured atomic.Pointer[measurement] // last; nil before the first
}

type pointsLabels struct {
	limit  int
	action limit.Action
	dryRun bool
}

func newTelemetry(
	set component.TelemetrySettings, limits *limit.Set, table *fold.Table, budget *tracker.Budget,
	processor, mode string,
) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		builder: b, set: limits, table: table, mode: mode,
		processor: attribute.String("processor", processor),
	}
	t.labelSets()
	if err := t.observe(budget); err != nil {
		b.Shutdown()
		return nil, err
	}
	return t, nil
}

// labelSets makes every label set there can be.
func (t *telemetry) labelSets() {
	set := func(labels ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(labels, t.processor)...))
	}
	t.common = set()
	t.reasons = make(map[string]metric.MeasurementOption)
	for _, r := range []string{"gauge", "non_finite", "malformed", "out_of_order", "refused", "undelivered"} {
		t.reasons[r] = set(attribute.String("reason", r))
	}
	for k := range oversize.Kinds {
		t.oversized[k] = set(attribute.String("kind", k.String()), attribute.String("mode", t.mode))
	}
	t.points = make(map[pointsLabels]metric.MeasurementOption)
	for i := -1; i < t.set.Len(); i++ {
		for a := limit.Pass; a <= limit.Drop; a++ {
			for _, dryRun := range []bool{false, true} {
				mode := t.mode
				if dryRun {
					mode = modeDryRun
				}
				t.points[pointsLabels{i, a, dryRun}] = set(attribute.String("limit", t.set.Name(i)),
					attribute.String("action", a.String()), attribute.String("mode", mode))
			}
		}
	}
}

// decided counts the decisions of a batch.
func (t *telemetry) decided(ctx context.Context, n *limit.Counts) {
	n.Each(func(i int, a limit.Action, dryRun bool, points int64) {
		t.builder.ProcessorCardinalitylimitPoints.Add(ctx, points, t.points[pointsLabels{i, a, dryRun}])
	})
	if n.Shared > 0 {
		t.builder.ProcessorCardinalitylimitSharedKeyChecks.Add(ctx, n.Shared, t.common)
	}
}

func (t *telemetry) emitted(ctx context.Context, points int) {
	t.builder.ProcessorCardinalitylimitEmittedPoints.Add(ctx, int64(points), t.common)
}

// folded counts what folding has done since the last call.
func (t *telemetry) folded(ctx context.Context) {
	n := t.table.TakeStats()
	if n == (fold.Stats{}) {
		return
	}
	b := t.builder
	add := func(c metric.Int64Counter, points int64, labels metric.MeasurementOption) {
		if points > 0 {
			c.Add(ctx, points, labels)
		}
	}
	add(b.ProcessorCardinalitylimitFoldedPoints, n.Folded, t.common)
	add(b.ProcessorCardinalitylimitUnbaselinedPoints, n.Unbaselined, t.common)
	add(b.ProcessorCardinalitylimitRebucketedPoints, n.Rebucketed, t.common)
	add(b.ProcessorCardinalitylimitSaturatedPoints, n.Saturated, t.common)
	add(b.ProcessorCardinalitylimitRefusedStreams, n.RefusedStreams, t.common)
	add(b.ProcessorCardinalitylimitDroppedExemplars, n.Exemplars, t.common)
	dropped := b.ProcessorCardinalitylimitDroppedPoints
	add(dropped, n.Gauges, t.reasons["gauge"])
	add(dropped, n.NonFinite, t.reasons["non_finite"])
	add(dropped, n.Malformed, t.reasons["malformed"])
	add(dropped, n.OutOfOrder, t.reasons["out_of_order"])
	add(dropped, n.Refused, t.reasons["refused"])
	add(dropped, n.Undelivered, t.reasons["undelivered"])
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }
