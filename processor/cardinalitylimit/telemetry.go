package cardinalitylimit

import (
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/fromzero"
	"github.com/otelcol-custom/otelcol-custom/internal/selfcount"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
)

// telemetry counts for the processor's own metrics and for the gateway page.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	group   *selfcount.Group
	set     *limit.Set
	table   *fold.Table
	memory  *budget.Budget
	mode    string

	processor     attribute.KeyValue
	common        metric.MeasurementOption
	enforced, dry []pointCounters // by limit; index 0: no limit
	shared        *selfcount.Counter
	emitted       *selfcount.Counter
	folded        [fold.StatCount]*selfcount.Counter // nil: no metric
	oversized     [oversize.Kinds]*selfcount.Counter

	lostGauges atomic.Int64                // dropped points of gauges since the last log record about them
	measured   atomic.Pointer[measurement] // the last measurement; nil before the first
}

// pointCounters count the points of a limit by action.
type pointCounters [limit.Drop + 1]*selfcount.Counter

func newTelemetry(
	set component.TelemetrySettings, group *selfcount.Group, limits *limit.Set, table *fold.Table, memory *budget.Budget,
	processor, mode string,
) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		builder: b, group: group, set: limits, table: table, memory: memory, mode: mode,
		processor: attribute.String("processor", processor),
	}
	t.makeCounters()
	if err := t.observe(memory); err != nil {
		b.Shutdown()
		return nil, err
	}
	return t, nil
}

// labels returns a label set of this processor.
func (t *telemetry) labels(labels ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(labels, t.processor)...))
}

// makeCounters makes a counter for each possible label set.
func (t *telemetry) makeCounters() {
	b, mode := t.builder, attribute.String("mode", t.mode)
	t.common = t.labels()
	t.shared = t.group.Counter(b.ProcessorCardinalitylimitSharedKeyChecks, t.common)
	t.emitted = t.group.Counter(b.ProcessorCardinalitylimitEmittedPoints, t.common)
	for k := range oversize.Kinds {
		t.oversized[k] = t.group.Counter(b.ProcessorCardinalitylimitOversized, t.labels(attribute.String("kind", k.String()), mode))
	}
	for i := -1; i < t.set.Len(); i++ {
		t.enforced = append(t.enforced, t.pointCounters(i, t.mode))
		t.dry = append(t.dry, t.pointCounters(i, modeDryRun))
	}
	t.makeFoldCounters()
}

func (t *telemetry) pointCounters(limitIndex int, mode string) (c pointCounters) {
	for a := range c {
		c[a] = t.group.Counter(t.builder.ProcessorCardinalitylimitPoints, t.labels(
			attribute.String("limit", t.set.Name(limitIndex)), attribute.String("action", limit.Action(a).String()), attribute.String("mode", mode)))
	}
	return c
}

// decided counts the decisions of a batch.
func (t *telemetry) decided(n *limit.Counts) {
	n.Each(func(i int, a limit.Action, dryRun bool, points int64) {
		if dryRun {
			t.dry[1+i][a].Add(points)
		} else {
			t.enforced[1+i][a].Add(points)
		}
	})
	if n.Shared > 0 {
		t.shared.Add(n.Shared)
	}
}

// dropReasons are the names of the reasons for which points are lost by folding.
var dropReasons = map[fold.Stat]string{
	fold.StatGauges: "gauge", fold.StatNonFinite: "non_finite", fold.StatMalformed: "malformed",
	fold.StatOutOfOrder: "out_of_order", fold.StatRefused: "refused", fold.StatUndelivered: "undelivered",
}

// makeFoldCounters makes the counters of folding. StatStale has none.
func (t *telemetry) makeFoldCounters() {
	b, mode := t.builder, attribute.String("mode", t.mode)
	for stat, m := range map[fold.Stat]metric.Int64Counter{
		fold.StatFolded:         b.ProcessorCardinalitylimitFoldedPoints,
		fold.StatUnbaselined:    b.ProcessorCardinalitylimitUnbaselinedPoints,
		fold.StatRebucketed:     b.ProcessorCardinalitylimitRebucketedPoints,
		fold.StatSaturated:      b.ProcessorCardinalitylimitSaturatedPoints,
		fold.StatRefusedStreams: b.ProcessorCardinalitylimitRefusedStreams,
		fold.StatExemplars:      b.ProcessorCardinalitylimitDroppedExemplars,
	} {
		t.folded[stat] = t.group.Counter(m, t.labels(mode))
	}
	for stat, reason := range dropReasons {
		labels := t.labels(attribute.String("reason", reason), mode)
		t.folded[stat] = t.group.Counter(b.ProcessorCardinalitylimitDroppedPoints, labels)
		fromzero.Options(b.ProcessorCardinalitylimitDroppedPoints, labels)
	}
}

// countFolded adds the counts of folding since the last call.
func (t *telemetry) countFolded() {
	stats := t.table.TakeStats()
	if t.mode == modeEnforce {
		t.lostGauges.Add(stats[fold.StatGauges])
	}
	for stat, n := range stats {
		if c := t.folded[stat]; n > 0 && c != nil {
			c.Add(n)
		}
	}
}

func (t *telemetry) shutdown() {
	t.group.Close()
	t.builder.Shutdown()
}
