package cardinalitylimit

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// telemetry turns the core's counts into the processor's own metrics: one call a
// batch and label set, with label sets made once.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	set     *limit.Set
	table   *fold.Table
	now     func() time.Time
	points  map[pointsLabels]metric.MeasurementOption
	mode    string

	mu     sync.Mutex
	last   []limit.Usage
	at     time.Time
	warned map[string]time.Time
}

type pointsLabels struct {
	limit  int
	action limit.Action
	dryRun bool
}

func newTelemetry(
	set component.TelemetrySettings, limits *limit.Set, table *fold.Table, budget *tracker.Budget,
	mode string, now func() time.Time,
) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		builder: b, set: limits, table: table, now: now, mode: mode,
		points: make(map[pointsLabels]metric.MeasurementOption), warned: make(map[string]time.Time),
	}
	t.labelSets()
	if err := t.observe(budget); err != nil {
		b.Shutdown()
		return nil, err
	}
	return t, nil
}

// labelSets makes every label set that points can have.
func (t *telemetry) labelSets() {
	for i := -1; i < t.set.Len(); i++ {
		for a := limit.Pass; a <= limit.Drop; a++ {
			for _, dryRun := range []bool{false, true} {
				mode := t.mode
				if dryRun {
					mode = modeDryRun
				}
				t.points[pointsLabels{i, a, dryRun}] = metric.WithAttributeSet(attribute.NewSet(
					attribute.String("limit", t.set.Name(i)),
					attribute.String("action", a.String()),
					attribute.String("mode", mode),
				))
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
		t.builder.ProcessorCardinalitylimitSharedKeyChecks.Add(ctx, n.Shared)
	}
}

func (t *telemetry) emitted(ctx context.Context, points int) {
	t.builder.ProcessorCardinalitylimitEmittedPoints.Add(ctx, int64(points))
}

// folded counts what folding has done since the last call.
func (t *telemetry) folded(ctx context.Context) {
	n := t.table.TakeStats()
	if n == (fold.Stats{}) {
		return
	}
	b := t.builder
	add := func(c metric.Int64Counter, points int64, o ...metric.AddOption) {
		if points > 0 {
			c.Add(ctx, points, o...)
		}
	}
	add(b.ProcessorCardinalitylimitFoldedPoints, n.Folded)
	add(b.ProcessorCardinalitylimitUnbaselinedPoints, n.Unbaselined)
	add(b.ProcessorCardinalitylimitRebucketedPoints, n.Rebucketed)
	add(b.ProcessorCardinalitylimitSaturatedPoints, n.Saturated)
	add(b.ProcessorCardinalitylimitRefusedStreams, n.RefusedStreams)
	dropped := b.ProcessorCardinalitylimitDroppedPoints
	add(dropped, n.Gauges, reasons["gauge"])
	add(dropped, n.NonFinite, reasons["non_finite"])
	add(dropped, n.Malformed, reasons["malformed"])
	add(dropped, n.OutOfOrder, reasons["out_of_order"])
	add(dropped, n.Refused, reasons["refused"])
	add(dropped, n.Undelivered, reasons["undelivered"])
}

var reasons = func() map[string]metric.MeasurementOption {
	sets := make(map[string]metric.MeasurementOption)
	for _, r := range []string{"gauge", "non_finite", "malformed", "out_of_order", "refused", "undelivered"} {
		sets[r] = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", r)))
	}
	return sets
}()

func (t *telemetry) shutdown() { t.builder.Shutdown() }
