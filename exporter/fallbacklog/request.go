package fallbacklog

import (
	"context"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

var _ delivery.Batch = request[plog.Logs]{}

// request is a batch of one signal, bound to the wrapped exporter.
type request[T any] struct {
	*instance[T]
	data           T
	callerMetadata client.Metadata     // of live data, if metadata_keys is set
	storedMetadata map[string][]string // of a record
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
	if r.storedMetadata != nil {
		return r.storedMetadata
	}
	return selectMetadata(r.callerMetadata, r.core.cfg.MetadataKeys)
}

// Send makes one attempt. It does not change the data, which may be needed again.
func (r request[T]) Send(ctx context.Context) (refusedItems int, err error) {
	if r.storedMetadata != nil {
		ctx = client.NewContext(ctx, client.Info{Metadata: client.NewMetadata(r.storedMetadata)})
	}
	if !r.wrapped.answersNoted {
		return 0, r.export(ctx)
	}
	ctx, note := answer.WithNote(ctx)
	return note.Outcome(ctx, r.Items, r.export(ctx))
}

func (r request[T]) export(ctx context.Context) error {
	if r.wrapped.capabilities.MutatesData {
		return r.wrapped.consume(ctx, r.signal.clone(r.data))
	}
	return r.wrapped.consume(ctx, r.data)
}
