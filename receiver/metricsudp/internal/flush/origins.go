package flush

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Batch is what one origin has in a flush, and one call of the consumer.
type Batch struct {
	Origin  *series.Origin
	Metrics pmetric.Metrics
	// Restated says that the next flush states these series anew: their points are cumulative, or the present value
	// of a gauge. A refused batch of them is replaced by the next. One of points that are of an interval is not.
	Restated bool
}

// batchKey tells the batches of a flush apart.
type batchKey struct {
	origin   *series.Origin
	restated bool
}

// origins are the batches that a [Builder] fills.
type origins struct {
	byKey   map[batchKey]*openBatch
	ordered []*openBatch // as they began
	last    *openBatch   // that the last point was added to, mostly the next one's too
}

type openBatch struct {
	Batch
	key     batchKey
	scope   pmetric.ScopeMetrics
	metrics map[*series.Metric]pmetric.Metric
}

func (o *origins) batch(b *Builder, key batchKey) *openBatch {
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

func (o *origins) offers() []offer {
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
