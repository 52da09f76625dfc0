package bucketing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-custom/otelcol-custom/internal/pointcount"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
)

// planCacheSize is the number of plans kept. A plan is of the size of its target's
// bounds, 48 bytes each, and of its source's, 8 bytes each; a thousand between layouts
// of 160 bounds are 9 MB.
const planCacheSize = 1024

// bucketing walks metrics and converts those that a rule matches. Safe for
// concurrent use: what a batch needs comes from pools.
type bucketing struct {
	id    string // of the component
	rules []rule
	// unmatched is for histograms that no rule matches: they keep their layout.
	unmatched convert.Rule
	logger    *zap.Logger // at most one line a minute for each message
	converter *convert.Converter
	telemetry *telemetry
	propagate bool
	batches   sync.Pool
	withdraw  func() // from the gateway page; nil before the start
}

// batch is what one call of processMetrics works with.
type batch struct {
	report convert.Report
	origin convert.Origin // of the scope at hand
	rules  []*rule        // that match the resource at hand
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
		id:        set.ID.String(),
		rules:     rules,
		unmatched: convert.Rule{OnInvalid: onInvalid[cfg.OnInvalid]},
		logger:    sampled(set.Logger),
		converter: convert.New(plans),
		telemetry: t,
		propagate: cfg.ErrorMode == "propagate",
		batches:   sync.Pool{New: func() any { return new(batch) }},
	}, nil
}

func (b *bucketing) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	batch := b.batches.Get().(*batch)
	defer b.batches.Put(batch)
	report := &batch.report
	report.Reset(len(b.rules))
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
	b.telemetry.record(ctx, report)
	if report.Err != nil && !b.propagate {
		b.logger.Warn("A histogram point is invalid; metrics count how many were dropped and how many passed", zap.Error(report.Err))
	}
	switch {
	case report.Err != nil && b.propagate:
		// Sent again, the same batch is just as invalid.
		return md, consumererror.NewPermanent(report.Err)
	case had > 0 && rms.Len() == 0:
		return md, processorhelper.ErrSkipProcessingData
	default:
		return md, nil
	}
}

// convert converts the metrics that a rule matches, inspects the other histograms, removes the metrics
// that lost every point, and reports whether no metric is left.
func (b *bucketing) convert(metrics pmetric.MetricSlice, batch *batch) (emptied bool) {
	report := &batch.report
	var gone []int          // places of the removed, ascending
	before := metrics.Len() // what conversions add is not converted again
	for i := range before {
		m := metrics.At(i)
		r := b.first(batch.rules, m)
		if r == nil {
			continue
		}
		failed, had := report.Err != nil, pointcount.InMetric(m)
		b.converter.Metric(m, metrics, &batch.origin, r, report)
		if report.Err != nil && !failed {
			report.Err = fmt.Errorf("metric %q: %w", m.Name(), report.Err)
		}
		if had > 0 && pointcount.InMetric(m) == 0 {
			gone = append(gone, i)
		}
	}
	if len(gone) == 0 {
		return false
	}
	at := -1
	metrics.RemoveIf(func(pmetric.Metric) bool {
		at++
		found := len(gone) > 0 && gone[0] == at
		if found {
			gone = gone[1:]
		}
		return found
	})
	return metrics.Len() == 0
}

// selectRules selects the rules that match a resource.
func (b *bucketing) selectRules(batch *batch, attributes pcommon.Map) {
	batch.rules = batch.rules[:0]
	for i := range b.rules {
		if b.rules[i].matchesResource(attributes) {
			batch.rules = append(batch.rules, &b.rules[i])
		}
	}
}

// first returns the first of the rules that matches, the one for unmatched histograms, or nil.
func (b *bucketing) first(rules []*rule, m pmetric.Metric) *convert.Rule {
	for _, r := range rules {
		if r.matches(m) {
			return &r.apply
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeHistogram, pmetric.MetricTypeExponentialHistogram:
		return &b.unmatched
	default:
		return nil
	}
}

// sampled passes at most one line a minute for each message.
func sampled(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, time.Minute, 1, 0)
	}))
}

func (b *bucketing) shutdown(ctx context.Context) error {
	if b.withdraw != nil {
		b.withdraw()
	}
	b.telemetry.shutdown(ctx)
	return nil
}
