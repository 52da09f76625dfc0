package selfcount

import (
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/fromzero"
)

// Items counts the items that a processor receives and sends, with the metrics of the Collector's processorhelper, except for its
// duration, which only the level detailed shows: a histogram has no sum to report later. It is safe for concurrent use.
type Items struct {
	incoming, outgoing *Counter
	begun              atomic.Bool // a batch has come
}

// helperScope is the scope of processorhelper, so that the items of all processors are one metric.
const helperScope = "go.opentelemetry.io/collector/processor/processorhelper"

// NewItems returns the counter of a processor for one signal. The group reports its counts. Processor is the ID.
func NewItems(meters metric.MeterProvider, processor, signal string, g *Group) (*Items, error) {
	meter := meters.Meter(helperScope)
	incoming, err1 := meter.Int64Counter("otelcol_processor_incoming_items",
		metric.WithDescription("Number of items passed to the processor. [Alpha]"), metric.WithUnit("{item}"))
	outgoing, err2 := meter.Int64Counter("otelcol_processor_outgoing_items",
		metric.WithDescription("Number of items emitted from the processor. [Alpha]"), metric.WithUnit("{item}"))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	labels := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("processor", processor), attribute.String("otel.signal", signal)))
	return &Items{incoming: g.Counter(incoming, labels), outgoing: g.Counter(outgoing, labels)}, nil
}

// Count counts the items of a batch.
func (i *Items) Count(incoming, outgoing int) {
	i.incoming.Add(int64(incoming))
	i.outgoing.Add(int64(outgoing))
	if !i.begun.Load() && !i.begun.Swap(true) { // from now on a processor that drops everything has a count of zero
		fromzero.Options(i.incoming.metric, i.incoming.labels)
		fromzero.Options(i.outgoing.metric, i.outgoing.labels)
	}
}
