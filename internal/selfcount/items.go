package selfcount

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/fromzero"
)

// Items counts the items that a processor receives and sends, and times it, with the metrics of the Collector's processorhelper. It is
// safe for concurrent use.
type Items struct {
	group              *Group
	incoming, outgoing *Counter
	duration           metric.Float64Histogram
	timed              bool // the level of the Collector's metrics is detailed
	labels             []metric.RecordOption
	batches            atomic.Uint64
}

const (
	// helperScope is the scope of processorhelper, so that the items of all processors are one metric.
	helperScope = "go.opentelemetry.io/collector/processor/processorhelper"
	// reportEvery is the number of batches after which they are reported, in case a view drops all metrics whose callbacks report.
	reportEvery = 1024
)

// NewItems returns the counter of a processor for one signal. The group reports its counts. Processor is the ID.
func NewItems(meters metric.MeterProvider, processor, signal string, g *Group) (*Items, error) {
	meter := meters.Meter(helperScope)
	incoming, err1 := meter.Int64Counter("otelcol_processor_incoming_items",
		metric.WithDescription("Number of items passed to the processor. [Alpha]"), metric.WithUnit("{item}"))
	outgoing, err2 := meter.Int64Counter("otelcol_processor_outgoing_items",
		metric.WithDescription("Number of items emitted from the processor. [Alpha]"), metric.WithUnit("{item}"))
	duration, err3 := meter.Float64Histogram("otelcol_processor_internal_duration",
		metric.WithDescription("Duration of time taken to process a batch of telemetry data through the processor. [Alpha]"), metric.WithUnit("s"))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	labels := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("processor", processor), attribute.String("otel.signal", signal)))
	return &Items{
		group: g, incoming: g.Counter(incoming, labels), outgoing: g.Counter(outgoing, labels),
		duration: duration, timed: duration.Enabled(context.Background()), labels: []metric.RecordOption{labels},
	}, nil
}

// Begin returns the time at which a batch begins, for End. It is zero if the duration is not recorded.
func (i *Items) Begin() (began time.Time) {
	if i.timed {
		began = time.Now()
	}
	return began
}

// End counts the items of a batch that was processed since began.
func (i *Items) End(began time.Time, incoming, outgoing int) {
	if i.timed {
		i.duration.Record(context.Background(), time.Since(began).Seconds(), i.labels...)
	}
	i.incoming.Add(int64(incoming))
	i.outgoing.Add(int64(outgoing))
	switch n := i.batches.Add(1); {
	case n == 1: // from now on a processor that drops everything has a count of zero
		fromzero.Options(i.incoming.metric, i.incoming.labels)
		fromzero.Options(i.outgoing.metric, i.outgoing.labels)
	case n%reportEvery == 0:
		i.group.Report()
	}
}
