package cardinalitylimit

import (
	"context"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
)

type batchKey struct{}

// ConsumeMetrics implements consumer.Metrics.
func (p *limiter) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if p.set == nil {
		return errNotStarted
	}
	b := p.folding().Batch()
	defer b.End() // discards the points of a request that its sender repeats, as after a panic, from which net/http recovers
	err := p.Metrics.ConsumeMetrics(context.WithValue(ctx, batchKey{}, b), md)
	if err == nil || consumererror.IsPermanent(err) {
		b.Commit()
		p.telemetry.folded(ctx)
	}
	return err
}

// process implements processorhelper.ProcessMetricsFunc.
func (p *limiter) process(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	var clientMetadata limit.Metadata
	if p.set.NeedsMetadata() {
		clientMetadata = client.FromContext(ctx).Metadata
	}
	c := p.set.Begin(clientMetadata)
	defer c.End()
	b, _ := ctx.Value(batchKey{}).(*fold.Batch)
	w := p.newWalker(c, b)
	defer w.end()
	w.walk(md)
	p.oversized(ctx, &w.cutter)
	p.telemetry.decided(ctx, &c.Counts)
	if md.ResourceMetrics().Len() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}
