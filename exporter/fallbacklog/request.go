package fallbacklog

import (
	"context"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

var _ delivery.Batch = request[plog.Logs]{}

// request is a batch of one signal on its way to a sink.
type request[T any] struct {
	*instance[T]
	data   T
	caller client.Metadata     // of live data, where some of it is to be kept
	kept   map[string][]string // of a record: what was
}

func (r request[T]) Items() int { return r.signal.items(r.data) }

func (r request[T]) Payload() ([]byte, error) {
	return r.signal.wire(r.core.codec.Encoding()).marshal(r.data)
}

// Part leaves r without the items that it does not return.
func (r request[T]) Part(from, to int) delivery.Batch {
	r.signal.cut(r.data, from, to)
	return r
}

// Metadata of a record is what was kept with it, whatever metadata_keys says by now.
func (r request[T]) Metadata() map[string][]string {
	if r.kept != nil {
		return r.kept
	}
	return pick(r.caller, r.core.cfg.MetadataKeys)
}

// Send keeps data as it is: it may be needed again.
func (r request[T]) Send(ctx context.Context) (rejected int, err error) {
	if r.kept != nil {
		ctx = client.NewContext(ctx, client.Info{Metadata: client.NewMetadata(r.kept)})
	}
	if !r.sink.heard {
		return 0, r.export(ctx)
	}
	ctx, note := answer.With(ctx)
	return note.Outcome(ctx, r.Items, r.export(ctx))
}

func (r request[T]) export(ctx context.Context) error {
	if r.sink.capabilities.MutatesData {
		return r.sink.consume(ctx, r.signal.clone(r.data))
	}
	return r.sink.consume(ctx, r.data)
}
