package bucketing

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/pointcount"
	"github.com/otelcol-custom/otelcol-custom/internal/sampled"
	"github.com/otelcol-custom/otelcol-custom/internal/selfcount"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// planCacheSize is the number of cached plans. A plan needs 48 bytes per target bound and 8 bytes per source bound. A
// thousand plans between layouts of 160 bounds need 9 MB.
const planCacheSize = 1024

// bucketing converts the metrics that a rule matches. It is safe for concurrent use: each batch gets its own scratch
// memory from a pool.
type bucketing struct {
	id        string // of the component
	next      consumer.Metrics
	counters  selfcount.Group
	items     *selfcount.Items
	rules     []rule
	unmatched convert.Rule // for histograms that no rule matches; they keep their layout
	logger    *zap.Logger  // writes at most one line per message and minute
	converter *convert.Converter
	telemetry *telemetry
	propagate bool      // an invalid point refuses its batch
	batches   sync.Pool // of *batch
	withdraw  func()    // withdraws the facts from the gateway page; nil before the start
}

// batch is the scratch memory of one call of process.
type batch struct {
	report   convert.Report // valid if reported is true
	reported bool           // the batch has a histogram or a metric with a rule
	origin   convert.Origin // the current resource and scope
	rules    []*rule        // the rules that match the current resource
}

func newBucketing(set processor.Settings, cfg *Config, next consumer.Metrics) (*bucketing, error) {
	rules, err := compile(cfg)
	if err != nil {
		return nil, err
	}
	plans := convert.NewPlans(planCacheSize)
	b := &bucketing{
		id:        set.ID.String(),
		next:      next,
		rules:     rules,
		unmatched: convert.Rule{OnInvalid: onInvalid[cfg.OnInvalid]},
		logger:    sampled.Logger(set.Logger),
		converter: convert.New(plans),
		propagate: cfg.ErrorMode == "propagate",
		batches:   sync.Pool{New: func() any { return new(batch) }},
	}
	if b.items, err = selfcount.NewItems(set.MeterProvider, set.ID.String(), pipeline.SignalMetrics.String(), &b.counters); err != nil {
		return nil, err
	}
	if b.telemetry, err = newTelemetry(set, &b.counters, rules, plans); err != nil {
		return nil, err
	}
	return b, nil
}

// Capabilities implements consumer.Metrics.
func (b *bucketing) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// ConsumeMetrics implements consumer.Metrics.
func (b *bucketing) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	defer b.counters.EndBatch()
	incoming := md.DataPointCount()
	emptied, err := b.process(ctx, md)
	outgoing := 0
	if err == nil {
		outgoing = md.DataPointCount()
	}
	b.items.Count(incoming, outgoing)
	if err != nil || emptied {
		return err
	}
	return b.next.ConsumeMetrics(ctx, md)
}

// process converts the points of md. It reports whether all were dropped. Its error is permanent: a retry of the batch would fail again.
func (b *bucketing) process(ctx context.Context, md pmetric.Metrics) (emptied bool, err error) {
	batch := b.batches.Get().(*batch)
	defer b.batches.Put(batch)
	batch.reported = false
	rms := md.ResourceMetrics()
	had := rms.Len()
	rms.RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		sms := rm.ScopeMetrics()
		b.selectRules(batch, rm.Resource().Attributes())
		had := sms.Len()
		sms.RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			batch.origin = convert.Origin{Resource: rm.Resource(), Scope: sm.Scope()}
			return b.convert(sm.Metrics(), batch)
		})
		return had > 0 && sms.Len() == 0
	})
	if !batch.reported { // nothing to convert or to check
		return false, nil
	}
	report := &batch.report
	b.telemetry.record(ctx, report)
	if report.Err != nil {
		if b.propagate {
			return false, consumererror.NewPermanent(report.Err)
		}
		b.logger.Warn("A histogram point is invalid; dropped_points, repaired_points and passed_points count such points", zap.Error(report.Err))
	}
	return had > 0 && rms.Len() == 0, nil
}

// convert converts the metrics that a rule matches and checks the other histograms. It removes the metrics that lost all of
// their points, and reports whether no metric is left.
func (b *bucketing) convert(metrics pmetric.MetricSlice, batch *batch) (emptied bool) {
	report := &batch.report
	var lost []int          // indexes of metrics without points, increasing
	before := metrics.Len() // metrics that a conversion appends are not converted again
	for i := range before {
		m := metrics.At(i)
		r := b.firstMatch(batch.rules, m)
		if r == nil {
			continue
		}
		if !batch.reported {
			batch.reported = true
			report.Reset(len(b.rules))
		}
		failed, had := report.Err != nil, pointcount.InMetric(m)
		b.converter.Metric(m, metrics, &batch.origin, r, report)
		if report.Err != nil && !failed {
			report.Err = fmt.Errorf("metric %q: %w", m.Name(), report.Err)
		}
		if had > 0 && pointcount.InMetric(m) == 0 {
			lost = append(lost, i)
		}
	}
	if len(lost) == 0 {
		return false
	}
	at := -1
	metrics.RemoveIf(func(pmetric.Metric) bool {
		at++
		found := len(lost) > 0 && lost[0] == at
		if found {
			lost = lost[1:]
		}
		return found
	})
	return metrics.Len() == 0
}

// selectRules sets the rules of the batch to those that match a resource.
func (b *bucketing) selectRules(batch *batch, attributes pcommon.Map) {
	batch.rules = batch.rules[:0]
	for i := range b.rules {
		if b.rules[i].matchesResource(attributes) {
			batch.rules = append(batch.rules, &b.rules[i])
		}
	}
}

// firstMatch returns the first rule that matches a metric. For other histograms it returns the rule unmatched, and for
// other metrics nil.
func (b *bucketing) firstMatch(rules []*rule, m pmetric.Metric) *convert.Rule {
	for _, r := range rules {
		if r.matches(m) {
			return &r.conversion
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeHistogram, pmetric.MetricTypeExponentialHistogram:
		return &b.unmatched
	default:
		return nil
	}
}

// Shutdown implements component.Component.
func (b *bucketing) Shutdown(context.Context) error {
	if b.withdraw != nil {
		b.withdraw()
	}
	b.telemetry.shutdown()
	return nil
}
