package cardinalitylimit

import (
	"context"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
)

// Capabilities implements consumer.Metrics.
func (p *limiter) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// ConsumeMetrics implements consumer.Metrics. The folded points of a batch are committed only when downstream has accepted the rest of
// the batch.
func (p *limiter) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if p.set == nil {
		return errNotStarted
	}
	defer p.counters.EndBatch()
	b := p.process(ctx, md)
	defer b.End() // discards the points of a request that its sender repeats, as after a panic, from which net/http recovers
	var err error
	if md.ResourceMetrics().Len() > 0 {
		err = p.next.ConsumeMetrics(ctx, md)
	}
	if err == nil || consumererror.IsPermanent(err) {
		b.Commit()
		p.telemetry.countFolded()
	}
	return err
}

// process decides on the points of md and removes those that do not go on. It returns the points to be folded, or nil. The caller must
// call End.
func (p *limiter) process(ctx context.Context, md pmetric.Metrics) *fold.Batch {
	var clientMetadata limit.Metadata
	if p.set.NeedsMetadata() {
		clientMetadata = client.FromContext(ctx).Metadata
	}
	c := p.set.Begin(clientMetadata)
	defer c.End()
	w := p.newWalker(c)
	defer w.end()
	w.walk(md)
	p.oversized(&w.cutter)
	p.telemetry.decided(&c.Counts)
	p.items.Count(len(w.removed), len(w.removed)-w.removedCount)
	return w.detach()
}
