package bucketing

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// planCacheSize is the number of plans kept. A plan is of the size of its target's
// bounds, 48 bytes each, and of its source's, 8 bytes each; a thousand between layouts
// of 160 bounds are 9 MB.
const planCacheSize = 1024

// bucketing walks metrics and converts those that a rule matches. Safe for
// concurrent use: what a batch needs comes from pools.
type bucketing struct {
	rules     []rule
	converter *convert.Converter
	telemetry *telemetry
	propagate bool
	reports   sync.Pool
}

func newBucketing(set processor.Settings, cfg *Config) (*bucketing, error) {
	rules, err := compile(cfg)
	if err != nil {
		return nil, err
	}
	plans := convert.NewPlans(planCacheSize)
	t, err := newTelemetry(set, rules, plans)
	if err != nil {
		return nil, err
	}
	return &bucketing{
		rules:     rules,
		converter: convert.New(plans),
		telemetry: t,
		propagate: cfg.ErrorMode == "propagate",
		reports:   sync.Pool{New: func() any { return new(convert.Report) }},
	}, nil
}

func (b *bucketing) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	report := b.reports.Get().(*convert.Report)
	defer b.reports.Put(report)
	report.Reset(len(b.rules))
	var origin convert.Origin
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			origin = convert.Origin{Resource: rm.Resource(), Scope: sm.Scope()}
			b.convert(sm.Metrics(), &origin, report)
		}
	}
	b.telemetry.record(ctx, report)
	if report.Err != nil && b.propagate {
		// Sent again, the same batch is just as invalid.
		return md, consumererror.NewPermanent(report.Err)
	}
	return md, nil
}

func (b *bucketing) convert(metrics pmetric.MetricSlice, origin *convert.Origin, report *convert.Report) {
	before := metrics.Len() // what conversions add is not converted again
	for i := range before {
		m := metrics.At(i)
		if r := b.first(m); r != nil {
			failed := report.Err != nil
			b.converter.Metric(m, metrics, origin, &r.apply, report)
			if report.Err != nil && !failed {
				report.Err = fmt.Errorf("metric %q: %w", m.Name(), report.Err)
			}
		}
	}
}

// first returns the first rule that matches, or nil.
func (b *bucketing) first(m pmetric.Metric) *rule {
	for i := range b.rules {
		if b.rules[i].matches(m) {
			return &b.rules[i]
		}
	}
	return nil
}

func (b *bucketing) shutdown(ctx context.Context) error {
	b.telemetry.shutdown(ctx)
	return nil
}
