package flush

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Batch is what one origin has in a flush. The batches of a flush are one unit of
// work of the [Sender], and one call of the consumer each.
type Batch struct {
	Origin  *series.Origin
	Metrics pmetric.Metrics
}

// origins are the batches that a [Builder] fills.
type origins struct {
	byOrigin map[*series.Origin]*openBatch
	ordered  []*openBatch // as they began
	last     *openBatch   // that a point was added to: mostly the next one's, too
}

type openBatch struct {
	Batch
	scope   pmetric.ScopeMetrics
	metrics map[*series.Metric]pmetric.Metric
}

// batch returns the one of an origin.
func (o *origins) batch(b *Builder, from *series.Origin) *openBatch {
	if o.last != nil && o.last.Origin == from {
		return o.last
	}
	if o.last = o.byOrigin[from]; o.last == nil {
		if o.byOrigin == nil {
			o.byOrigin = map[*series.Origin]*openBatch{}
		}
		o.last = b.newBatch(from)
		o.byOrigin[from] = o.last
		o.ordered = append(o.ordered, o.last)
	}
	return o.last
}

func (o *origins) batches() []Batch {
	batches := make([]Batch, len(o.ordered))
	for i, open := range o.ordered {
		batches[i] = open.Batch
	}
	return batches
}

func (b *Builder) newBatch(from *series.Origin) *openBatch {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	b.Resource.CopyTo(rm.Resource())
	for attribute := range from.Attributes {
		rm.Resource().Attributes().PutStr(attribute.Key, attribute.Value)
	}
	scope := rm.ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(b.ScopeName)
	scope.Scope().SetVersion(b.ScopeVersion)
	return &openBatch{
		Batch: Batch{Origin: from, Metrics: md},
		scope: scope, metrics: map[*series.Metric]pmetric.Metric{},
	}
}
