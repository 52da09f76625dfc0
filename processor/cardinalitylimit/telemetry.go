package cardinalitylimit

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/fromzero"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
)

// telemetry adds the counts of the core to the processor's own metrics, with one call per batch and label set.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	set     *limit.Set
	table   *fold.Table
	memory  *budget.Budget
	mode    string

	// The label sets are made once.
	processor attribute.KeyValue
	common    metric.MeasurementOption
	points    map[pointsLabels][]metric.AddOption // each has one option; a call with the option itself would allocate the slice
	stats     [fold.StatCount]labelledCounter
	oversized [oversize.Kinds]metric.MeasurementOption

	tally      tally
	lostGauges atomic.Int64                // dropped points of gauges since the last log record about them
	measured   atomic.Pointer[measurement] // the last measurement; nil before the first
}

type labelledCounter struct {
	counter metric.Int64Counter // nil: no metric
	labels  metric.MeasurementOption
}

type pointsLabels struct {
	limit  int
	action limit.Action
	dryRun bool
}

func newTelemetry(
	set component.TelemetrySettings, limits *limit.Set, table *fold.Table, memory *budget.Budget,
	processor, mode string,
) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		builder: b, set: limits, table: table, memory: memory, mode: mode,
		processor: attribute.String("processor", processor),
	}
	t.labelSets()
	if err := t.observe(memory); err != nil {
		b.Shutdown()
		return nil, err
	}
	return t, nil
}

// labelSets makes all possible label sets.
func (t *telemetry) labelSets() {
	set := func(labels ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(labels, t.processor)...))
	}
	t.common = set()
	t.foldCounters()
	for k := range oversize.Kinds {
		t.oversized[k] = set(attribute.String("kind", k.String()), attribute.String("mode", t.mode))
	}
	t.points = make(map[pointsLabels][]metric.AddOption)
	for i := -1; i < t.set.Len(); i++ {
		for a := limit.Pass; a <= limit.Drop; a++ {
			for _, dryRun := range []bool{false, true} {
				mode := t.mode
				if dryRun {
					mode = modeDryRun
				}
				labels := set(attribute.String("limit", t.set.Name(i)), attribute.String("action", a.String()), attribute.String("mode", mode))
				t.points[pointsLabels{i, a, dryRun}] = []metric.AddOption{labels}
			}
		}
	}
}

// decided counts the decisions of a batch.
func (t *telemetry) decided(ctx context.Context, n *limit.Counts) {
	n.Each(func(i int, a limit.Action, dryRun bool, points int64) {
		t.builder.ProcessorCardinalitylimitPoints.Add(ctx, points, t.points[pointsLabels{i, a, dryRun}]...)
		t.tally.decided(a, dryRun, points)
	})
	if n.Shared > 0 {
		t.builder.ProcessorCardinalitylimitSharedKeyChecks.Add(ctx, n.Shared, t.common)
	}
}

func (t *telemetry) emitted(ctx context.Context, points int) {
	t.builder.ProcessorCardinalitylimitEmittedPoints.Add(ctx, int64(points), t.common)
	t.tally.emitted.Add(int64(points))
}

// dropReasons are the names of the reasons for which points are lost by folding.
var dropReasons = map[fold.Stat]string{
	fold.StatGauges: "gauge", fold.StatNonFinite: "non_finite", fold.StatMalformed: "malformed",
	fold.StatOutOfOrder: "out_of_order", fold.StatRefused: "refused", fold.StatUndelivered: "undelivered",
}

// foldCounters sets the counters for the counts of folding. StatStale has no counter.
func (t *telemetry) foldCounters() {
	b, mode := t.builder, attribute.String("mode", t.mode)
	labels := metric.WithAttributeSet(attribute.NewSet(mode, t.processor))
	for stat, counter := range map[fold.Stat]metric.Int64Counter{
		fold.StatFolded:         b.ProcessorCardinalitylimitFoldedPoints,
		fold.StatUnbaselined:    b.ProcessorCardinalitylimitUnbaselinedPoints,
		fold.StatRebucketed:     b.ProcessorCardinalitylimitRebucketedPoints,
		fold.StatSaturated:      b.ProcessorCardinalitylimitSaturatedPoints,
		fold.StatRefusedStreams: b.ProcessorCardinalitylimitRefusedStreams,
		fold.StatExemplars:      b.ProcessorCardinalitylimitDroppedExemplars,
	} {
		t.stats[stat] = labelledCounter{counter, labels}
	}
	for stat, reason := range dropReasons {
		labels := attribute.NewSet(attribute.String("reason", reason), mode, t.processor)
		t.stats[stat] = labelledCounter{b.ProcessorCardinalitylimitDroppedPoints, metric.WithAttributeSet(labels)}
		fromzero.Options(t.stats[stat].counter, t.stats[stat].labels)
	}
}

// folded adds the counts of folding since the last call.
func (t *telemetry) folded(ctx context.Context) {
	stats := t.table.TakeStats()
	enforced := t.mode == modeEnforce
	if n := stats[fold.StatGauges]; n > 0 && enforced {
		t.lostGauges.Add(n)
	}
	for stat, n := range stats {
		if c := &t.stats[stat]; n > 0 && c.counter != nil {
			c.counter.Add(ctx, n, c.labels)
			if enforced {
				t.tally.folded[stat].Add(n)
			}
		}
	}
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }
