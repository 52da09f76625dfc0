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
	byKey  map[batchKey]*openBatch
	last   *openBatch // the batch of the last point, and in most cases also of the next point
	offers []offer    // one for each batch, in the order of their first points; empty until the batch is complete
	finish func(Batch) offer
}

// openBatch is a batch with the metrics that it contains so far.
type openBatch struct {
	Batch
	key     batchKey
	index   int // of its offer
	points  int
	scope   pmetric.ScopeMetrics
	metrics map[*series.Metric]pmetric.Metric
	last    pmetric.Metric // the metric of the last point
	lastOf  *series.Metric // whose metric last is
}

// batchPoints is the maximum number of points in a batch. 2,000 points of about 400 bytes stay in the processor's cache until the batch
// is complete.
const batchPoints = 2000

// batch returns the batch for one more point.
func (o *openBatches) batch(b *Builder, key batchKey) *openBatch {
	if o.last == nil || o.last.key != key {
		o.last = o.byKey[key]
	}
	if o.last != nil && o.last.points == batchPoints {
		o.offers[o.last.index] = o.finish(o.last.Batch)
		o.last = nil
	}
	if o.last == nil {
		if o.byKey == nil {
			o.byKey = map[batchKey]*openBatch{}
		}
		o.last = b.newBatch(key)
		o.last.index = len(o.offers)
		o.offers = append(o.offers, offer{})
		o.byKey[key] = o.last
	}
	o.last.points++
	return o.last
}

// finished returns the offers of all batches.
func (o *openBatches) finished() []offer {
	for _, open := range o.byKey {
		o.offers[open.index] = o.finish(open.Batch)
	}
	return o.offers
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
