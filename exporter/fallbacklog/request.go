package fallbacklog

import (
	"context"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

var _ delivery.Batch = request[plog.Logs]{}

// request is a batch of one signal, bound to a sink.
type request[T any] struct {
	*instance[T]
	data   T
	caller client.Metadata     // of live data, if metadata_keys is set
	kept   map[string][]string // of a record: the stored metadata
}

func (r request[T]) Items() int { return r.signal.items(r.data) }

func (r request[T]) Payload() ([]byte, error) {
	return r.signal.wire(r.core.codec.Encoding()).marshal(r.data)
}

// Part removes all items outside [from, to) from r.
func (r request[T]) Part(from, to int) delivery.Batch {
	r.signal.cut(r.data, from, to)
	return r
}

// Metadata returns the metadata to store. A record keeps the metadata that it has, whatever metadata_keys is now.
func (r request[T]) Metadata() map[string][]string {
	if r.kept != nil {
		return r.kept
	}
	return selectMetadata(r.caller, r.core.cfg.MetadataKeys)
}

// Send makes one attempt. It does not change the data, which may be needed again.
func (r request[T]) Send(ctx context.Context) (rejected int, err error) {
	if r.kept != nil {
		ctx = client.NewContext(ctx, client.Info{Metadata: client.NewMetadata(r.kept)})
	}
	if !r.sink.answersNoted {
		return 0, r.export(ctx)
	}
	ctx, note := answer.WithNote(ctx)
	return note.Outcome(ctx, r.Items, r.export(ctx))
}

func (r request[T]) export(ctx context.Context) error {
	if r.sink.capabilities.MutatesData {
		return r.sink.consume(ctx, r.signal.clone(r.data))
	}
	return r.sink.consume(ctx, r.data)
}
