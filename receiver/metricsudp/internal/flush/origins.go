package flush

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Batch has the points of one origin in a flush. The consumer is called once per batch.
type Batch struct {
	Origin  *series.Origin
	Metrics pmetric.Metrics
	// Restated is true if the points of the next flush include or replace these points, see [Builder.restates]. If such a batch
	// is refused, the next flush replaces it. A refused batch of other points is offered again unchanged.
	Restated bool
}

// batchKey identifies a batch of a flush.
type batchKey struct {
	origin   *series.Origin
	restated bool
}

// openBatches are the batches that a [Builder] fills.
type openBatches struct {
	byKey   map[batchKey]*openBatch
	ordered []*openBatch // in the order of their first points
	last    *openBatch   // the batch of the last point, and in most cases also of the next point
}

// openBatch is a batch with the metrics that it contains so far.

type openBatch struct {
	Batch
	key     batchKey
	scope   pmetric.ScopeMetrics
	metrics map[*series.Metric]pmetric.Metric
}

func (o *openBatches) batch(b *Builder, key batchKey) *openBatch {
	if o.last != nil && o.last.key == key {
		return o.last
	}
	if o.last = o.byKey[key]; o.last == nil {
		if o.byKey == nil {
			o.byKey = map[batchKey]*openBatch{}
		}
		o.last = b.newBatch(key)
		o.byKey[key] = o.last
		o.ordered = append(o.ordered, o.last)
	}
	return o.last
}

func (o *openBatches) offers() []offer {
	offers := make([]offer, len(o.ordered))
	for i, open := range o.ordered {
		offers[i] = newOffer(open.Batch)
	}
	return offers
}

func (b *Builder) newBatch(key batchKey) *openBatch {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	b.Resource.CopyTo(rm.Resource())
	for attribute := range key.origin.Attributes {
		rm.Resource().Attributes().PutStr(attribute.Key, attribute.Value)
	}
	scope := rm.ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(b.ScopeName)
	scope.Scope().SetVersion(b.ScopeVersion)
	return &openBatch{
		Batch: Batch{Origin: key.origin, Metrics: md, Restated: key.restated}, key: key,
		scope: scope, metrics: map[*series.Metric]pmetric.Metric{},
	}
}
